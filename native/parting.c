/*
 * RST for RST. A reset overtakes what is still in the send queue, so a socket that is to be reset first gives its peer
 * a second to acknowledge it.
 */
#include "engine.h"
#include "lane.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint64_t PARTING_NS = 1000000000u;

static bool is_delivered(int fd) {
  int queued = 0;
  return ioctl(fd, SIOCOUTQ, &queued) != 0 || queued == 0;
}

static void close_with_reset(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(fd);
}

/* Takes over `fd`. A Unix socket has no reset: its peer sees the end. */
void reset_socket(struct loop *loop, int fd) {
  struct parting *parting = is_delivered(fd) ? NULL : malloc(sizeof *parting);
  if (!parting) {
    close_with_reset(fd);
    return;
  }
  epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* its end is about to be freed */
  *parting = (struct parting){.fd = fd, .until_ns = loop->now_ns + PARTING_NS, .next = loop->partings};
  loop->partings = parting;
}

void tick_partings(struct loop *loop) {
  for (struct parting **link = &loop->partings; *link;) {
    struct parting *parting = *link;
    if (loop->now_ns < parting->until_ns && !is_delivered(parting->fd)) {
      link = &parting->next;
      continue;
    }
    *link = parting->next;
    close_with_reset(parting->fd);
    free(parting);
  }
}
