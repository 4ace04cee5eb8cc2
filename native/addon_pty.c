/* The addon's functions for pseudo-terminals, and for the socket pair that stands for a terminal or a serial line. */
#include "addon.h"
#include "js_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { PATH_BYTES = 64 };

static int set_size(int fd, int32_t columns, int32_t rows) {
  struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
  return ioctl(fd, TIOCSWINSZ, &size);
}

/* Opens both sides of a new terminal, neither as ours. False with errno, and nothing open. Source: pty(7). */
static bool open_pair(int32_t *fds, char *path, int32_t columns, int32_t rows) {
  int leader = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), follower = -1;
  if (leader < 0) return false;
  if (grantpt(leader) == 0 && unlockpt(leader) == 0 && ptsname_r(leader, path, PATH_BYTES) == 0)
    follower = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (follower < 0 || set_size(leader, columns, rows) != 0) {
    int error = errno;
    if (follower >= 0) close(follower);
    close(leader);
    errno = error;
    return false;
  }
  fds[0] = leader;
  fds[1] = follower;
  return true;
}

/* openTerminal(fds, columns, rows) → the path of the side for a program; fills `fds` with our side and that one. */
static napi_value open_terminal(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char path[PATH_BYTES];
  uint8_t *fds;
  size_t length;
  int32_t columns, rows;
  napi_value result;
  if (!get_arguments(env, info, &arguments) || !get_bytes(&arguments, 0, &fds, &length)) return NULL;
  if (!get_int(&arguments, 1, &columns) || !get_int(&arguments, 2, &rows)) return NULL;
  if (!open_pair((int32_t *)fds, path, columns, rows)) return throw_errno(env, "openpty", errno);
  return ok(env, napi_create_string_utf8(env, path, NAPI_AUTO_LENGTH, &result)) ? result : NULL;
}

/* resizeTerminal(fd, columns, rows): the program gets SIGWINCH if that is a change. Source: ioctl_tty(2), TIOCSWINSZ. */
static napi_value resize_terminal(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int32_t fd, columns, rows;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_int(&arguments, 1, &columns) || !get_int(&arguments, 2, &rows)) return NULL;
  return set_size(fd, columns, rows) == 0 ? NULL : throw_errno(env, "ioctl", errno);
}

/* endCharacter(fd) → what a user of the terminal types for the end of input; 0 for nothing. */
static napi_value end_character(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct termios settings;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (tcgetattr(fd, &settings) != 0) return throw_errno(env, "tcgetattr", errno);
  return make_number(env, settings.c_cc[VEOF]);
}

/* socketPair(fds): fills `fds` with two Unix stream sockets that are connected, and do not block. */
static napi_value socket_pair(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  uint8_t *fds;
  size_t length;
  if (!get_arguments(env, info, &arguments) || !get_bytes(&arguments, 0, &fds, &length)) return NULL;
  int result = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, (int *)(void *)fds);
  return result == 0 ? NULL : throw_errno(env, "socketpair", errno);
}

bool add_pty_functions(const struct exports *exports) {
  return add_function(exports, "openTerminal", open_terminal) &&
         add_function(exports, "resizeTerminal", resize_terminal) &&
         add_function(exports, "endCharacter", end_character) &&
         add_function(exports, "socketPair", socket_pair);
}
