/* Express lanes: the listener, the limits, the end. */
#include "lane.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ACCEPTS_AT_ONCE = 64, RESET_TICK_MS = 10, LANE_TICK_MS = 100 };

struct lane *create_lane(void) {
  struct lane *lane = calloc(1, sizeof *lane);
  if (!lane) return NULL;
  lane->watch = WATCH_LISTENER;
  lane->listen_fd = -1;
  pthread_mutex_init(&lane->listen_lock, NULL);
  return lane;
}

void free_lane(struct lane *lane) {
  if (lane->listen_fd >= 0) close(lane->listen_fd);
  pthread_mutex_destroy(&lane->listen_lock);
  free(lane->blocks);
  free(lane);
}

/* Closes the listener. */
void shut_lane(const struct loop *loop, struct lane *lane) {
  pthread_mutex_lock(&lane->listen_lock);
  if (lane->listen_fd >= 0) {
    /* JavaScript may hold the same open file: closing the duplicate would not end the watch. */
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, lane->listen_fd, NULL);
    close(lane->listen_fd);
    lane->listen_fd = -1;
  }
  pthread_mutex_unlock(&lane->listen_lock);
}

/* 0, or errno; EBADF when the listener is closed. */
static int watch_listener(struct loop *loop, struct lane *lane, int operation, bool on) {
  struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = lane};
  pthread_mutex_lock(&lane->listen_lock);
  int error = lane->listen_fd < 0 ? EBADF : 0;
  if (!error && epoll_ctl(loop->epoll_fd, operation, lane->listen_fd, &event) != 0) error = errno;
  pthread_mutex_unlock(&lane->listen_lock);
  return error;
}

/* -1 with errno, EBADF when the listener is closed. */
static int accept_one(struct lane *lane, struct sockaddr_storage *peer) {
  socklen_t length = sizeof *peer;
  errno = EBADF;
  pthread_mutex_lock(&lane->listen_lock);
  int fd = -1;
  if (lane->listen_fd >= 0) fd = accept4(lane->listen_fd, (struct sockaddr *)peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  pthread_mutex_unlock(&lane->listen_lock);
  return fd;
}

/* Whether the next descriptor is one that may be given to a client. */
static bool has_free_fd(const struct loop *loop, const struct lane *lane) {
  int next_fd = fcntl(loop->wake_fd, F_DUPFD_CLOEXEC, 0);
  if (next_fd >= 0) close(next_fd);
  return next_fd >= 0 && next_fd < lane->last_free_fd;
}

void arm_lane(struct loop *loop, struct lane *lane, bool on) {
  if (lane->armed == on) return;
  if (on && lane->most > 0 && lane->live >= lane->most) return;
  if (on && is_unheard(loop)) return;
  if (on && lane->short_of_fds && !has_free_fd(loop, lane)) return;
  if (on) lane->short_of_fds = false;
  if (watch_listener(loop, lane, EPOLL_CTL_MOD, on) == 0) lane->armed = on;
}

/* What is the same for all its clients is asked and set once: an accepted socket has its listener's options (tcp(7)), and
   its local name is the listener's, unless that is the wildcard. */
static void prepare_listener(struct lane *lane) {
  pthread_mutex_lock(&lane->listen_lock);
  if (lane->listen_fd >= 0) {
    ask_name(&lane->local, lane->listen_fd);
    if (lane->no_delay) set_no_delay(lane->listen_fd);
  }
  pthread_mutex_unlock(&lane->listen_lock);
  const uint32_t *words = lane->local.words;
  lane->is_wildcard = lane->local.family != 0 && (words[0] | words[1] | words[2] | words[3]) == 0;
}

void begin_lane(struct loop *loop, struct lane *lane) {
  prepare_listener(lane);
  lane->next = loop->lanes;
  loop->lanes = lane;
  lane->armed = true;
  int error = watch_listener(loop, lane, EPOLL_CTL_ADD, true);
  if (!error) return;
  if (error != EBADF) lane->accept_error = error;
  close_lane(loop, lane);
}

static void forget_lane(struct loop *loop, const struct lane *lane) {
  struct lane **link = &loop->lanes;
  while (*link && *link != lane) link = &(*link)->next;
  if (*link) *link = lane->next;
}

/* Stops accepting, and reports that after all that it has accepted has been reported; over when the last connection
   is. */
void close_lane(struct loop *loop, struct lane *lane) {
  bool has_changed = !lane->closing;
  lane->closing = true;
  shut_lane(loop, lane);
  if (lane->live == 0 && !lane->over) {
    forget_lane(loop, lane);
    lane->over = has_changed = true;
  }
  if (has_changed) tell_lane(loop, lane);
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

static bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void note_shortage(struct loop *loop, struct lane *lane, int error) {
  arm_lane(loop, lane, false); /* the next tick tries again: epoll would go round in circles */
  if (lane->accept_error == error) return;
  lane->accept_error = error;
  tell_lane(loop, lane);
}

/* The clients that are there need one more each for their targets, and the process some of its own. */
static bool leaves_enough(struct loop *loop, struct lane *lane, int fd) {
  if (lane->last_free_fd == 0 || fd < lane->last_free_fd) return true;
  lane->short_of_fds = true;
  note_shortage(loop, lane, EMFILE);
  return false;
}

void lane_event(struct loop *loop, struct lane *lane) {
  for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
    struct sockaddr_storage peer = {0};
    if ((lane->most > 0 && lane->live >= lane->most) || is_unheard(loop)) {
      arm_lane(loop, lane, false);
      return;
    }
    int fd = accept_one(lane, &peer);
    if (fd >= 0) {
      lane->accept_error = 0;
      accept_connection(loop, lane, fd, &peer);
      if (!leaves_enough(loop, lane, fd)) return;
    } else if (is_shortage(errno)) {
      note_shortage(loop, lane, errno);
      return;
    } else if (errno == EAGAIN || errno == EBADF) {
      return;
    } /* anything else is the one connection's fate: accept(2), Error handling */
  }
}

static uint64_t last_active(const struct connection *connection) {
  uint64_t up = connection->up.active_ns, down = connection->down.active_ns;
  return up > down ? up : down;
}

/* 0, or why its time is over: ETIMEDOUT for connecting and for idling, ECONNABORTED for its age. */
static int find_overrun(const struct loop *loop, const struct lane *lane, const struct connection *connection) {
  if (connection->dialing) {
    if (!connection->timed || connection->hearing) return 0;
    return lane->connect_ns > 0 && loop->now_ns - connection->asked_ns >= lane->connect_ns ? ETIMEDOUT : 0;
  }
  if (lane->life_ns > 0 && loop->now_ns - connection->joined_ns >= lane->life_ns) return ECONNABORTED;
  return lane->idle_ns > 0 && loop->now_ns - last_active(connection) >= lane->idle_ns ? ETIMEDOUT : 0;
}

/* Whether any of its connections has something that only the clock can tell. */
static bool has_limits(const struct lane *lane) {
  return (lane->live > 0 && (lane->idle_ns > 0 || lane->life_ns > 0)) || lane->dialing > 0;
}

static void tick_lane(struct loop *loop, struct lane *lane) {
  if (!lane->closing) arm_lane(loop, lane, true);
  if (!has_limits(lane)) return;
  struct connection *connection = lane->connections;
  while (connection) {
    struct connection *next = connection->next;
    int overrun = find_overrun(loop, lane, connection);
    if (overrun && connection->taken) refuse_taken(loop, connection, ECANCELED);
    else if (overrun) stop_connection(loop, connection, overrun);
    else if (connection->hearing) hear_client(loop, connection);
    else feed_connection(loop, connection);
    connection = next;
  }
}

static bool wants_ticks(const struct lane *lane) {
  return has_limits(lane) || (!lane->armed && !lane->closing && (lane->most == 0 || lane->live < lane->most));
}

/* How long the thread may sleep. */
int lane_timeout_ms(const struct loop *loop) {
  if (loop->delayed_resets || loop->limited) return RESET_TICK_MS;
  for (const struct lane *lane = loop->lanes; lane; lane = lane->next) {
    if (wants_ticks(lane)) return LANE_TICK_MS;
  }
  return -1;
}

/* After each round: looks at the limits when their time has come. */
void tick_lanes(struct loop *loop) {
  if ((!loop->lanes && !loop->delayed_resets && !loop->limited) || loop->now_ns < loop->tick_ns) return;
  loop->tick_ns = loop->now_ns + (loop->delayed_resets || loop->limited ? RESET_TICK_MS : LANE_TICK_MS) * 1000000u;
  tick_limits(loop);
  tick_delayed_resets(loop);
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
  tick_delayed_resets(loop);
}
