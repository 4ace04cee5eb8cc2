/*
 * RST for RST. A reset overtakes what is still in the send queue, so a socket that is to be reset first gives its peer
 * some time to acknowledge it.
 */
#include "engine.h"
#include "lane.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whether the peer has acknowledged all that was sent; a Unix socket's has it. */
bool has_arrived(int fd) {
  int queued = 0;
  return ioctl(fd, SIOCOUTQ, &queued) != 0 || queued == 0;
}

/* Whether all that was sent has left this system: the peer's had room for it. Of a FIN that waits nothing depends. */
bool has_left(int fd) {
  int waiting = 0;
  return ioctl(fd, SIOCOUTQNSD, &waiting) != 0 || waiting <= 1;
}

static void close_with_reset(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(fd);
}

/* Takes over `fd`, which epoll does not watch. A Unix socket has no reset: its peer sees the end. */
void reset_socket(struct loop *loop, int fd, uint64_t until_ns) {
  struct delayed_reset *reset = loop->now_ns >= until_ns || has_arrived(fd) ? NULL : malloc(sizeof *reset);
  if (!reset) {
    close_with_reset(fd);
    return;
  }
  *reset = (struct delayed_reset){.fd = fd, .until_ns = until_ns, .next = loop->delayed_resets};
  loop->delayed_resets = reset;
}

void tick_delayed_resets(struct loop *loop) {
  for (struct delayed_reset **link = &loop->delayed_resets; *link;) {
    struct delayed_reset *reset = *link;
    if (loop->now_ns < reset->until_ns && !has_arrived(reset->fd)) {
      link = &reset->next;
      continue;
    }
    *link = reset->next;
    close_with_reset(reset->fd);
    free(reset);
  }
}
