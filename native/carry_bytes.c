/*
 * The ways to carry bytes:
 *
 *     copy      source ─read─▶ shared buffer ─write─▶ sink      small traffic, and whatever splice refuses
 *     through   source ─splice─▶ pooled pipe ─splice─▶ sink     bulk between sockets, from a socket to a file
 *     direct    source ─splice─▶ sink                           one of the two is a pipe
 *     sendfile  file ─sendfile─▶ socket
 */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { STUCK_MOST = 3 };

static ssize_t splice_some(int from, int to, size_t length) {
  ssize_t moved;
  do moved = splice(from, NULL, to, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  while (moved < 0 && errno == EINTR);
  return moved;
}

static bool is_refusal(int error) {
  return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

static bool hold(struct flow *flow, const unsigned char *bytes, size_t length) {
  flow->held = malloc(length);
  if (!flow->held) return false;
  memcpy(flow->held, bytes, length);
  flow->held_from = 0;
  flow->held_to = length;
  return true;
}

static enum step deliver_held(struct loop *loop, struct flow *flow) {
  while (flow->held_from < flow->held_to) {
    if (!flow->sink->can_write) return STEP_WAIT;
    ssize_t sent = write_end(flow->sink, flow->held + flow->held_from, flow->held_to - flow->held_from);
    if (sent < 0) return errno == EAGAIN ? STEP_WAIT : break_flow(flow, SIDE_SINK, errno);
    flow->held_from += (size_t)sent;
    note_sent(loop, flow, (size_t)sent);
  }
  free(flow->held);
  flow->held = NULL;
  flow->held_from = flow->held_to = 0;
  return STEP_MOVED;
}

/* Holds what waits in the pipe, which is filled only when nothing is held. False with errno: it cannot be had. */
bool take_back_piped(struct flow *flow) {
  unsigned char *bytes = malloc(flow->piped);
  size_t got = 0;
  if (!bytes) {
    errno = ENOMEM;
    return false;
  }
  while (got < flow->piped) {
    ssize_t part = read(flow->pipe->read_fd, bytes + got, flow->piped - got);
    if (part <= 0) break;
    got += (size_t)part;
  }
  if (got < flow->piped) {
    free(bytes);
    errno = EIO;
    return false;
  }
  flow->held = bytes;
  flow->held_from = 0;
  flow->held_to = got;
  flow->piped = 0;
  return true;
}

/* The sink refuses splice: what waits in the pipe goes the slow way, in order. */
static enum step hold_piped(struct loop *loop, struct flow *flow) {
  if (!take_back_piped(flow)) return break_flow(flow, SIDE_SINK, errno);
  flow->copies = true;
  return deliver_held(loop, flow);
}

static enum step deliver_piped(struct loop *loop, struct flow *flow) {
  while (flow->piped > 0) {
    if (!flow->sink->can_write) return STEP_WAIT;
    ssize_t sent = splice_some(flow->pipe->read_fd, flow->sink->fd, flow->piped);
    if (sent > 0) {
      flow->piped -= (size_t)sent;
      note_sent(loop, flow, (size_t)sent);
      continue;
    }
    if (sent < 0 && errno == EAGAIN) {
      flow->sink->can_write = false;
      return STEP_WAIT;
    }
    if (sent == 0 || is_refusal(errno)) return hold_piped(loop, flow);
    return break_flow(flow, SIDE_SINK, errno);
  }
  return STEP_MOVED;
}

/* Hands the sink what has been read already. STEP_MOVED: there is nothing left of it. */
enum step deliver(struct loop *loop, struct flow *flow) {
  enum step step = flow->held ? deliver_held(loop, flow) : STEP_MOVED;
  return step == STEP_MOVED && flow->piped > 0 ? deliver_piped(loop, flow) : step;
}

/* `got` is what the source gave: 0, or -1 with errno. */
static enum step source_gave_none(struct flow *flow, ssize_t got) {
  struct end *source = flow->source;
  if (got < 0 && errno == EAGAIN) {
    source->can_read = false;
    return STEP_WAIT;
  }
  if (got < 0) return break_flow(flow, SIDE_SOURCE, errno);
  /* The first caller to ask gets the reset, and after that the socket looks as if it had ended in order. EPIPE is
     what a writer finds after an orderly end. */
  if (source->error && source->error != EPIPE) return break_flow(flow, SIDE_SOURCE, source->error);
  flow->source_ended = true;
  return STEP_MOVED;
}

static enum step copy(struct loop *loop, struct flow *flow) {
  ssize_t got = read_end(flow->source, loop->buffer, BUFFER_BYTES);
  if (got <= 0) return source_gave_none(flow, got);
  note_read(loop, flow, (size_t)got);
  ssize_t sent = flow->sink->can_write ? write_end(flow->sink, loop->buffer, (size_t)got) : 0;
  if (sent < 0 && errno != EAGAIN) return break_flow(flow, SIDE_SINK, errno);
  if (sent < 0) sent = 0;
  if (sent > 0) note_sent(loop, flow, (size_t)sent);
  if (sent < got && !hold(flow, loop->buffer + sent, (size_t)(got - sent))) {
    return break_flow(flow, SIDE_SINK, ENOMEM);
  }
  return STEP_MOVED;
}

static enum step through(struct loop *loop, struct flow *flow) {
  if (!flow->pipe) flow->pipe = take_pipe(loop);
  if (!flow->pipe) return copy(loop, flow);
  ssize_t got = splice_some(flow->source->fd, flow->pipe->write_fd, PIPE_BYTES);
  if (got < 0 && is_refusal(errno)) {
    flow->copies = true;
    return STEP_MOVED;
  }
  if (got <= 0) return source_gave_none(flow, got); /* the pipe is empty: EAGAIN is the source's */
  flow->piped = (size_t)got;
  note_read(loop, flow, (size_t)got);
  return STEP_MOVED;
}

/* One EAGAIN for two descriptors: ask both which of them it is. */
static enum step direct_gave_none(struct flow *flow) {
  flow->source->can_read = end_is_ready(flow->source, POLLIN);
  flow->sink->can_write = end_is_ready(flow->sink, POLLOUT);
  if (!flow->source->can_read || !flow->sink->can_write) return STEP_WAIT;
  if (++flow->stuck >= STUCK_MOST) flow->copies = true;
  return STEP_MOVED;
}

static bool is_sinks_fault(const struct flow *flow, int error) {
  if (error == EPIPE || flow->source->kind == KIND_PIPE) return true;
  return flow->source->kind == KIND_FILE && error != EIO && error != EISDIR;
}

/* splice or sendfile straight from the source to the sink: what is read is sent. */
static enum step direct(struct loop *loop, struct flow *flow, bool from_file) {
  if (!flow->sink->can_write) return STEP_WAIT;
  ssize_t moved = from_file ? sendfile(flow->sink->fd, flow->source->fd, NULL, PIPE_BYTES)
                            : splice_some(flow->source->fd, flow->sink->fd, PIPE_BYTES);
  if (moved > 0) {
    flow->stuck = 0;
    note_read(loop, flow, (size_t)moved);
    note_sent(loop, flow, (size_t)moved);
    return STEP_MOVED;
  }
  if (moved == 0) return source_gave_none(flow, 0);
  if (is_refusal(errno)) {
    flow->copies = true;
    return STEP_MOVED;
  }
  if (errno == EAGAIN) return direct_gave_none(flow);
  return break_flow(flow, is_sinks_fault(flow, errno) ? SIDE_SINK : SIDE_SOURCE, errno);
}

/* Moves some bytes on from the source, by the way that suits both ends and the traffic. Only called when all that was
   read before has been delivered, so a source that breaks takes nothing with it. */
enum step fetch(struct loop *loop, struct flow *flow) {
  const struct end *source = flow->source, *sink = flow->sink;
  if (!source->can_read) return STEP_WAIT;
  if (flow->copies || source->urgent || !source->splices || !sink->splices) return copy(loop, flow);
  if (source->kind == KIND_FILE && sink->kind == KIND_SOCKET) return direct(loop, flow, true);
  if (source->kind == KIND_FILE && sink->kind == KIND_FILE) return copy(loop, flow);
  if (source->kind == KIND_PIPE || source->kind == KIND_FILE) return direct(loop, flow, false);
  if (!flow->bulk) return copy(loop, flow);
  return sink->kind == KIND_PIPE ? direct(loop, flow, false) : through(loop, flow);
}
