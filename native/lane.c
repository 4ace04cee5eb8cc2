/* Express lanes: the listener, the limits, the end. */
#include "lane.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ACCEPTS_AT_ONCE = 64, PARTING_TICK_MS = 10, LANE_TICK_MS = 100 };

void arm_lane(struct loop *loop, struct lane *lane, bool on) {
  struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = lane};
  if (lane->armed == on || lane->listen_fd < 0) return;
  if (on && lane->most > 0 && lane->live >= lane->most) return;
  if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, lane->listen_fd, &event) == 0) lane->armed = on;
}

void begin_lane(struct loop *loop, struct lane *lane) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = lane};
  lane->next = loop->lanes;
  loop->lanes = lane;
  lane->armed = true;
  if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, lane->listen_fd, &event) == 0) return;
  lane->accept_error = errno;
  close_lane(loop, lane);
}

static void forget_lane(struct loop *loop, const struct lane *lane) {
  struct lane **link = &loop->lanes;
  while (*link && *link != lane) link = &(*link)->next;
  if (*link) *link = lane->next;
}

/* Stops accepting; over when the last connection is. */
void close_lane(struct loop *loop, struct lane *lane) {
  lane->closing = true;
  if (lane->listen_fd >= 0) {
    /* JavaScript may hold the same open file: closing the duplicate would not end the watch. */
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, lane->listen_fd, NULL);
    close(lane->listen_fd);
    lane->listen_fd = -1;
  }
  if (lane->live > 0 || lane->over) return;
  forget_lane(loop, lane);
  lane->over = true;
  tell_lane(loop, lane);
}

void stop_lane(struct loop *loop, struct lane *lane) {
  struct connection *connection = lane->connections;
  while (connection) {
    struct connection *next = connection->next;
    stop_connection(loop, connection, ECANCELED);
    connection = next;
  }
  close_lane(loop, lane);
}

/* A lane whose thread ended before it began. */
void abandon_lane(struct lane *lane) {
  close(lane->listen_fd);
  free(lane);
}

static bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void note_shortage(struct loop *loop, struct lane *lane, int error) {
  arm_lane(loop, lane, false); /* the next tick tries again: epoll would go round in circles */
  if (lane->accept_error == error) return;
  lane->accept_error = error;
  tell_lane(loop, lane);
}

void lane_event(struct loop *loop, struct lane *lane) {
  for (int i = 0; i < ACCEPTS_AT_ONCE && lane->listen_fd >= 0; i++) {
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof peer;
    if (lane->most > 0 && lane->live >= lane->most) {
      arm_lane(loop, lane, false);
      return;
    }
    int fd = accept4(lane->listen_fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      lane->accept_error = 0;
      accept_connection(loop, lane, fd, &peer);
    } else if (is_shortage(errno)) {
      note_shortage(loop, lane, errno);
      return;
    } else if (errno == EAGAIN) {
      return;
    } /* anything else is the one connection's fate: accept(2), Error handling */
  }
}

static uint64_t last_active(const struct connection *connection) {
  uint64_t up = connection->up.active_ns, down = connection->down.active_ns;
  return up > down ? up : down;
}

static bool is_overdue(const struct loop *loop, const struct lane *lane, const struct connection *connection) {
  if (connection->dialing) return lane->connect_ns > 0 && loop->now_ns - connection->begun_ns >= lane->connect_ns;
  return lane->idle_ns > 0 && loop->now_ns - last_active(connection) >= lane->idle_ns;
}

static void tick_lane(struct loop *loop, struct lane *lane) {
  if (!lane->closing) arm_lane(loop, lane, true);
  if (lane->idle_ns == 0 && lane->connect_ns == 0) return;
  struct connection *connection = lane->connections;
  while (connection) {
    struct connection *next = connection->next;
    if (is_overdue(loop, lane, connection)) stop_connection(loop, connection, ETIMEDOUT);
    connection = next;
  }
}

static bool wants_ticks(const struct lane *lane) {
  return lane->idle_ns > 0 || lane->connect_ns > 0 || !lane->armed;
}

/* How long the thread may sleep. */
int lane_timeout_ms(const struct loop *loop) {
  if (loop->partings) return PARTING_TICK_MS;
  for (const struct lane *lane = loop->lanes; lane; lane = lane->next) {
    if (wants_ticks(lane)) return LANE_TICK_MS;
  }
  return -1;
}

/* After each round: looks at the limits when their time has come. */
void tick_lanes(struct loop *loop) {
  if ((!loop->lanes && !loop->partings) || loop->now_ns < loop->tick_ns) return;
  loop->tick_ns = loop->now_ns + (loop->partings ? PARTING_TICK_MS : LANE_TICK_MS) * 1000000u;
  tick_partings(loop);
  struct lane *lane = loop->lanes;
  while (lane) {
    struct lane *next = lane->next;
    tick_lane(loop, lane);
    lane = next;
  }
}

/* After the thread has ended. */
void destroy_lanes(struct loop *loop) {
  while (loop->lanes) stop_lane(loop, loop->lanes);
  loop->now_ns = UINT64_MAX;
  tick_partings(loop);
}
