/* Descriptors: what they are, who shares them, and what epoll says of them. */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int ask_socket(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

static bool is_stream(int fd) {
  return ask_socket(fd, SO_TYPE) == SOCK_STREAM;
}

/* epoll(7): a read from a stream that is not filled has emptied it. But what comes with descriptors or credentials is
   where a read from a Unix socket stops (unix(7)), and that is not told. */
static bool is_short_all(int family) {
  return family != AF_UNIX;
}

struct identity {
  mode_t mode;
  uint64_t device, inode;
};

/* statx, not fstat: glibc has had a symbol for fstat only since 2.33. */
static bool identify(int fd, struct identity *identity) {
  struct statx status;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &status) != 0) return false;
  identity->mode = status.stx_mode;
  identity->device = (uint64_t)status.stx_dev_major << 32 | status.stx_dev_minor;
  identity->inode = status.stx_ino;
  return true;
}

static enum kind kind_of(int fd, mode_t mode) {
  if (S_ISSOCK(mode)) return is_stream(fd) ? KIND_SOCKET : KIND_OTHER;
  if (S_ISFIFO(mode)) return KIND_PIPE;
  if (S_ISREG(mode) || S_ISBLK(mode)) return KIND_FILE;
  if (S_ISCHR(mode)) return isatty(fd) ? KIND_TERMINAL : KIND_DEVICE;
  return KIND_OTHER;
}

/* KIND_OTHER with errno set when the descriptor is bad. */
enum kind describe_descriptor(int fd) {
  struct identity identity;
  errno = 0;
  return identify(fd, &identity) ? kind_of(fd, identity.mode) : KIND_OTHER;
}

static bool can_splice(int fd, enum kind kind) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return false;
  /* splice and sendfile wait on a blocking socket whatever SPLICE_F_NONBLOCK says; on a pipe they heed it. */
  if (kind == KIND_SOCKET) return (flags & O_NONBLOCK) != 0;
  if (kind == KIND_FILE) return (flags & O_APPEND) == 0; /* splice(2): EINVAL for an appending file */
  return kind == KIND_PIPE;
}

static struct end **bucket_of(struct loop *loop, uint64_t device, uint64_t inode) {
  return &loop->table[(inode ^ device) % END_TABLE];
}

static struct flow **role_of(struct end *end, enum side side) {
  return side == SIDE_SOURCE ? &end->reader : &end->writer;
}

static struct end *find_shared(struct loop *loop, const struct identity *identity, enum side side) {
  struct end *end = *bucket_of(loop, identity->device, identity->inode);
  while (end && (end->inode != identity->inode || end->device != identity->device || *role_of(end, side))) {
    end = end->next;
  }
  return end;
}

static bool watch(struct loop *loop, struct end *end) {
  struct epoll_event event = {.data.ptr = end};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, end->fd, &event) == 0) return true;
  end->polled = false;
  return errno == EPERM; /* regular files and devices without poll: always ready */
}

static struct end *create_end(struct loop *loop, int fd, const struct identity *identity, enum lent lent) {
  struct end *end = calloc(1, sizeof *end);
  if (!end) return NULL;
  end->fd = fd;
  end->lent = lent != NOT_LENT;
  end->kind = lent ? KIND_SOCKET : kind_of(fd, identity->mode);
  end->splices = lent || can_splice(fd, end->kind);
  end->short_is_all =
      end->kind == KIND_SOCKET && is_short_all(lent == LENT_INET ? AF_INET : ask_socket(fd, SO_DOMAIN));
  end->polled = end->may_nowait = end->can_read = end->can_write = true;
  end->device = identity->device;
  end->inode = identity->inode;
  if (!watch(loop, end)) {
    free(end);
    return NULL;
  }
  if (end->kind == KIND_SOCKET) {
    struct end **bucket = bucket_of(loop, end->device, end->inode);
    end->shared = true;
    end->next = *bucket;
    *bucket = end;
  }
  return end;
}

/* Takes over a non-blocking stream socket that nothing else uses. NULL with errno; `fd` is then still the caller's. */
struct end *open_lane_end(struct loop *loop, int fd, int family, struct connection *connection) {
  struct end *end = calloc(1, sizeof *end);
  if (!end) return NULL;
  end->fd = fd;
  end->kind = KIND_SOCKET;
  end->splices = end->polled = end->can_write = true; /* that it can be read, its first event says */
  end->short_is_all = is_short_all(family);
  end->connection = connection;
  if (watch(loop, end)) return end;
  free(end);
  return NULL;
}

/* No device has this number: what is lent is known by its own. */
#define LENT_DEVICE UINT64_MAX

/* Opens one of a flow's ends. Takes over its descriptor unless it is lent, which is closed exactly once: here, or when the
   last flow leaves the end. NULL with errno. */
struct end *open_end(struct loop *loop, struct flow *flow, enum side side) {
  int fd = side == SIDE_SOURCE ? flow->source_fd : flow->sink_fd;
  enum lent lent = side == SIDE_SOURCE ? flow->source_lent : flow->sink_lent;
  struct identity identity = {S_IFSOCK, LENT_DEVICE, (uint64_t)fd};
  struct end *end = NULL;
  errno = 0;
  if (lent || identify(fd, &identity)) {
    /* Only a socket's inode is one object with both directions; a pipe's two ends have the same inode. */
    if (S_ISSOCK(identity.mode)) end = find_shared(loop, &identity, side);
    if (!end) end = create_end(loop, fd, &identity, lent);
    else if (!lent) close(fd);
  }
  if (!end) {
    int error = errno ? errno : ENOMEM;
    if (!lent) close(fd);
    errno = error;
    return NULL;
  }
  *role_of(end, side) = flow;
  return end;
}

static void forget_shared(struct loop *loop, struct end *end) {
  struct end **link = bucket_of(loop, end->device, end->inode);
  while (*link && *link != end) link = &(*link)->next;
  if (*link) *link = end->next;
}

void leave_end(struct loop *loop, struct end *end, struct flow *flow) {
  if (end->reader == flow) end->reader = NULL;
  if (end->writer == flow) end->writer = NULL;
  if (end->reader || end->writer || end->fd < 0 || end->connection) return;
  if (end->shared) forget_shared(loop, end);
  close_end(loop, end);
}

/* Gives an end's descriptor away; the end is freed after this round. epoll is told: closing would end its watch only if
   nobody else held the same open file, as JavaScript does of a duplicate, and a child before its exec of any. */
int take_fd(struct loop *loop, struct end *end) {
  int fd = end->fd;
  if (end->polled) epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
  end->fd = -1;
  end->next = loop->graveyard;
  loop->graveyard = end;
  return fd;
}

void close_end(struct loop *loop, struct end *end) {
  int fd = take_fd(loop, end);
  if (!end->lent) close(fd);
}

void bury_ends(struct loop *loop) {
  while (loop->graveyard) {
    struct end *end = loop->graveyard;
    loop->graveyard = end->next;
    free(end);
  }
}

static void note_break(struct end *end) {
  if (end->error) return;
  if (end->kind == KIND_SOCKET) {
    socklen_t length = sizeof end->error;
    if (getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &end->error, &length) != 0) end->error = 0;
  } else if (end->kind == KIND_PIPE && end->writer) {
    end->error = EPIPE; /* the last reader has gone: nothing more can be taken */
  }
}

void end_event(struct loop *loop, struct end *end, uint32_t events) {
  if (end->fd < 0) return;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) end->hung = true;
  if (events & EPOLLPRI) end->urgent = true;
  if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) end->can_read = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) end->can_write = true;
  if (events & EPOLLERR) note_break(end);
  if (end->connection) connection_event(loop, end);
  limit_reader(loop, end);
  if (end->reader) queue_flow(loop, end->reader);
  if (end->writer) queue_flow(loop, end->writer);
}

/* Asks the descriptor itself. True also when it has ended or broken: the next call will tell. */
bool end_is_ready(const struct end *end, short events) {
  struct pollfd entry = {.fd = end->fd, .events = events};
  if (!end->polled) return true;
  return poll(&entry, 1, 0) > 0;
}
