/* The addon's functions for serial lines. Source: termios(3), ioctl_tty(2); struct termios2 takes any speed. */
#include "addon.h"
#include "js_value.h"

#include <asm/termbits.h>
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>

/* What claimSerial() is asked for: -1 leaves a setting as the device has it. Source: claimSerial in src/native/addon.ts. */
enum { SPEED, BITS, PARITY, STOP_BITS, FLOW_CONTROL };
enum { RTS_CTS = 1, XON_XOFF };

static void apply_framing(struct termios2 *line, const int32_t *asked) {
  static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};
  if (asked[BITS] >= 0) line->c_cflag = (line->c_cflag & ~(tcflag_t)CSIZE) | sizes[asked[BITS] - 5];
  if (asked[PARITY] >= 0) {
    line->c_cflag &= ~(tcflag_t)(PARENB | PARODD);
    if (asked[PARITY] > 0) line->c_cflag |= asked[PARITY] == 2 ? PARENB | PARODD : PARENB;
  }
  if (asked[STOP_BITS] == 1) line->c_cflag &= ~(tcflag_t)CSTOPB;
  if (asked[STOP_BITS] == 2) line->c_cflag |= CSTOPB;
}

static void apply_flow(struct termios2 *line, int32_t flow) {
  if (flow < 0) return;
  line->c_cflag &= ~(tcflag_t)CRTSCTS;
  line->c_iflag &= ~(tcflag_t)(IXON | IXOFF);
  if (flow == RTS_CTS) line->c_cflag |= CRTSCTS;
  if (flow == XON_XOFF) line->c_iflag |= IXON | IXOFF;
}

/* Every byte as it is, as cfmakeraw(3) has it, but for the framing and the flow control, which are the line's. */
static void make_raw(struct termios2 *line) {
  line->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXANY);
  line->c_oflag &= ~(tcflag_t)OPOST;
  line->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  line->c_cflag |= CREAD;
  line->c_cc[VMIN] = 1;
  line->c_cc[VTIME] = 0;
}

/* The name of a speed where it has one, which every program understands; else the number itself counts. */
static tcflag_t find_constant(int32_t speed) {
  static const struct { int32_t speed; tcflag_t constant; } known[] = {
    {50, B50}, {75, B75}, {110, B110}, {134, B134}, {150, B150}, {200, B200}, {300, B300}, {600, B600},
    {1200, B1200}, {1800, B1800}, {2400, B2400}, {4800, B4800}, {9600, B9600}, {19200, B19200}, {38400, B38400},
    {57600, B57600}, {115200, B115200}, {230400, B230400}, {460800, B460800}, {500000, B500000}, {576000, B576000},
    {921600, B921600}, {1000000, B1000000}, {1152000, B1152000}, {1500000, B1500000}, {2000000, B2000000},
    {2500000, B2500000}, {3000000, B3000000}, {3500000, B3500000}, {4000000, B4000000},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (known[i].speed == speed) return known[i].constant;
  }
  return BOTHER;
}

static void apply_speed(struct termios2 *line, int32_t speed) {
  if (speed < 0) return;
  line->c_cflag &= ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT);
  line->c_cflag |= find_constant(speed);
  line->c_ispeed = line->c_ospeed = (speed_t)speed;
}

/* Makes the line ours alone. TIOCEXCL does not stop the superuser, so it is asked for, and the file locked too. */
static int claim(int fd) {
  int taken = 0;
  if (ioctl(fd, TIOCGEXCL, &taken) == 0 && taken) {
    errno = EBUSY;
    return -1;
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) errno = EBUSY;
    return -1;
  }
  return ioctl(fd, TIOCEXCL);
}

static int set_line(int fd, const int32_t *asked, const struct termios2 *found) {
  struct termios2 line = *found;
  make_raw(&line);
  apply_framing(&line, asked);
  apply_flow(&line, asked[FLOW_CONTROL]);
  apply_speed(&line, asked[SPEED]);
  return ioctl(fd, TCSETS2, &line);
}

/* claimSerial(fd, asked, found) → the speed that the line has now. Fills `found` with the settings before. */
static napi_value claim_serial(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct termios2 before, line;
  uint8_t *asked, *found;
  size_t length, room;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_bytes(&arguments, 1, &asked, &length) || !get_bytes(&arguments, 2, &found, &room)) return NULL;
  if (ioctl(fd, TCGETS2, &before) != 0) return throw_errno(env, "tcgetattr", errno);
  if (claim(fd) != 0) return throw_errno(env, "flock", errno);
  if (room >= sizeof before) memcpy(found, &before, sizeof before);
  if (set_line(fd, (const int32_t *)(const void *)asked, &before) != 0 || ioctl(fd, TCGETS2, &line) != 0) {
    int error = errno;
    ioctl(fd, TIOCNXCL);
    return throw_errno(env, "tcsetattr", error);
  }
  return make_number(env, line.c_ospeed);
}

/* releaseSerial(fd, found, drops): gives the line its settings back; with `drops`, what is not sent yet is dropped. */
static napi_value release_serial(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct termios2 before;
  uint8_t *found;
  size_t length;
  int32_t fd, drops;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_bytes(&arguments, 1, &found, &length) || !get_int(&arguments, 2, &drops)) return NULL;
  if (length < sizeof before) return NULL;
  memcpy(&before, found, sizeof before);
  if (drops) ioctl(fd, TCFLSH, TCOFLUSH); /* close(2) would wait for it */
  ioctl(fd, TCSETS2, &before); /* a line that is gone has none */
  ioctl(fd, TIOCNXCL);
  return NULL;
}

bool add_serial_functions(const struct exports *exports) {
  return add_function(exports, "claimSerial", claim_serial) && add_function(exports, "releaseSerial", release_serial);
}
