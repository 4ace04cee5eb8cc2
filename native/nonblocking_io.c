/*
 * read and write that never block. O_NONBLOCK belongs to the open file, which a standard stream shares with other
 * processes: it is never set here, and never relied on except for splicing sockets that JavaScript made.
 */
#include "engine.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t blocked(void) {
  errno = EAGAIN;
  return -1;
}

static ssize_t read_pipe(struct end *end, void *buffer, size_t length) {
  struct iovec part = {.iov_base = buffer, .iov_len = length};
  if (end->may_nowait) {
    ssize_t got = preadv2(end->fd, &part, 1, -1, RWF_NOWAIT);
    if (got >= 0 || errno != EOPNOTSUPP) return got;
    end->may_nowait = false; /* Linux before 6.4, and devices */
  }
  /* Another reader of the same pipe could take the bytes in between; such a kernel offers nothing better. */
  return end_is_ready(end, POLLIN) ? read(end->fd, buffer, length) : blocked();
}

static ssize_t write_pipe(struct end *end, const void *buffer, size_t length) {
  struct iovec part = {.iov_base = (void *)buffer, .iov_len = length};
  if (end->may_nowait) {
    ssize_t sent = pwritev2(end->fd, &part, 1, -1, RWF_NOWAIT);
    if (sent >= 0 || errno != EOPNOTSUPP) return sent;
    end->may_nowait = false;
  }
  /* pipe(7): a pipe that polls writable has room for PIPE_BUF bytes. */
  if (!end_is_ready(end, POLLOUT)) return blocked();
  return write(end->fd, buffer, length < PIPE_BUF ? length : PIPE_BUF);
}

static ssize_t read_once(struct end *end, void *buffer, size_t length) {
  if (end->kind == KIND_SOCKET) return recv(end->fd, buffer, length, MSG_DONTWAIT);
  if (end->kind == KIND_FILE) return read(end->fd, buffer, length);
  return read_pipe(end, buffer, length);
}

static ssize_t write_once(struct end *end, const void *buffer, size_t length) {
  if (end->kind == KIND_SOCKET) return send(end->fd, buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (end->kind == KIND_FILE) return write(end->fd, buffer, length);
  return write_pipe(end, buffer, length);
}

/* As read(2). On EAGAIN the end is marked unready until its next event. */
ssize_t read_end(struct end *end, void *buffer, size_t length) {
  ssize_t got;
  do got = read_once(end, buffer, length);
  while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) {
    end->can_read = false;
  } else if (got > 0 && (size_t)got < length && end->short_is_all && !end->hung && !end->urgent) {
    end->can_read = false; /* what comes next is a new edge */
  }
  return got;
}

/* As write(2). On EAGAIN the end is marked unready until its next event. */
ssize_t write_end(struct end *end, const void *buffer, size_t length) {
  ssize_t sent;
  do sent = write_once(end, buffer, length);
  while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno == EAGAIN) end->can_write = false;
  return sent;
}
