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
  struct parting *parting = loop->now_ns >= until_ns || has_arrived(fd) ? NULL : malloc(sizeof *parting);
  if (!parting) {
    close_with_reset(fd);
    return;
  }
  *parting = (struct parting){.fd = fd, .until_ns = until_ns, .next = loop->partings};
  loop->partings = parting;
}

void tick_partings(struct loop *loop) {
  for (struct parting **link = &loop->partings; *link;) {
    struct parting *parting = *link;
    if (loop->now_ns < parting->until_ns && !has_arrived(parting->fd)) {
      link = &parting->next;
      continue;
    }
    *link = parting->next;
    close_with_reset(parting->fd);
    free(parting);
  }
}
