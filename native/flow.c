/* One flow: begin, take turns, end. */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void add(uint64_t *counter, size_t bytes) {
  __atomic_store_n(counter, *counter + bytes, __ATOMIC_RELAXED); /* this thread is the only writer */
}

static void widen(const struct end *end) {
  /* Best effort: a pipe of 16 pages makes the two sides take turns instead of working at once. */
  if (end->kind == KIND_PIPE && fcntl(end->fd, F_GETPIPE_SZ) < PIPE_BYTES) fcntl(end->fd, F_SETPIPE_SZ, PIPE_BYTES);
}

static void close_window(struct flow *flow) {
  size_t average = flow->window_bytes / flow->window_reads;
  bool bulk = average >= (flow->bulk ? SMALL_READ_BYTES : BULK_READ_BYTES);
  if (bulk && !flow->bulk) {
    widen(flow->source);
    widen(flow->sink);
  }
  flow->bulk = bulk;
  flow->window_bytes = flow->window_reads = 0;
}

void note_read(struct loop *loop, struct flow *flow, size_t bytes) {
  add(&flow->bytes_read, bytes);
  __atomic_store_n(&flow->active_ns, loop->now_ns, __ATOMIC_RELAXED);
  flow->window_bytes += bytes;
  flow->window_reads++;
  flow->turn_reads++;
  if (flow->window_bytes >= WINDOW_BYTES) close_window(flow);
}

void note_sent(struct loop *loop, struct flow *flow, size_t bytes) {
  add(&flow->bytes_sent, bytes);
  __atomic_store_n(&flow->active_ns, loop->now_ns, __ATOMIC_RELAXED);
}

/* Notes what broke, for this flow and for the other flow of the same socket. */
enum step break_flow(struct flow *flow, enum side side, int error) {
  struct end *end = side == SIDE_SINK ? flow->sink : flow->source;
  if (end && error == EPIPE && end->error) error = end->error; /* the reset came first */
  if (end && !end->error) end->error = error;
  flow->side = side;
  flow->error = error;
  return STEP_OVER;
}

void free_flow(struct flow *flow) {
  free(flow->held);
  free(flow);
}

/* Of a flow that has not begun. */
void discard_flow(struct flow *flow) {
  if (flow->source_fd >= 0 && !flow->source_lent) close(flow->source_fd);
  if (flow->sink_fd >= 0 && !flow->sink_lent) close(flow->sink_fd);
  free_flow(flow);
}

/* After it nothing in the loop names the flow: it may be freed as soon as its ending is known. */
static void let_go(struct loop *loop, struct flow *flow) {
  unqueue_flow(loop, flow);
  free_of_limit(flow);
  if (flow->pipe) give_pipe(loop, flow->pipe, flow->piped == 0);
  flow->pipe = NULL;
  if (!flow->handed_back) {
    free(flow->held);
    flow->held = NULL;
  }
  if (flow->source) leave_end(loop, flow->source, flow);
  if (flow->sink) leave_end(loop, flow->sink, flow);
}

static void end_flow(struct loop *loop, struct flow *flow) {
  if (flow->cut && !flow->error) flow->error = ECANCELED;
  bool orderly = flow->error == 0;
  if (orderly && flow->half_close && flow->sink->kind == KIND_SOCKET) shutdown(flow->sink->fd, SHUT_WR);
  if (flow->side == SIDE_SINK && flow->sink) limit_reader(loop, flow->sink);
  flow->opposite_read = flow->sink && flow->sink->reader ? (int64_t)flow->sink->reader->bytes_read : -1;
  flow->ended = true;
  __atomic_store_n(&flow->blocked, 0, __ATOMIC_RELAXED);
  let_go(loop, flow);
  flow->over(loop, flow);
}

void begin_flow(struct loop *loop, struct flow *flow) {
  flow->begun = true;
  if (flow->source_fd < 0) {
    flow->source_ended = true;
  } else {
    flow->source = open_end(loop, flow, SIDE_SOURCE);
    if (!flow->source) break_flow(flow, SIDE_SOURCE, errno);
  }
  flow->sink = open_end(loop, flow, SIDE_SINK);
  if (!flow->sink) break_flow(flow, SIDE_SINK, errno);
  if (flow->error) {
    end_flow(loop, flow);
    return;
  }
  if (flow->source) limit_reader(loop, flow->source); /* it may have broken under another flow */
  queue_flow(loop, flow);
}

/* Both ends are open: a flow of an express lane. */
void begin_lane_flow(struct loop *loop, struct flow *flow, struct end *source, struct end *sink) {
  flow->begun = true;
  flow->source = source;
  flow->sink = sink;
  source->reader = flow;
  sink->writer = flow;
  limit_reader(loop, source); /* a client may have broken off before its target answered */
  queue_flow(loop, flow);
}

static enum step take_steps(struct loop *loop, struct flow *flow) {
  uint64_t enough = flow->bytes_read + TURN_BYTES;
  for (int steps = 0;; steps++) {
    enum step step = deliver(loop, flow);
    if (step != STEP_MOVED) return step;
    if (flow->source_ended) return STEP_OVER;
    if (steps >= TURN_STEPS || flow->bytes_read >= enough) return STEP_MOVED;
    step = fetch(loop, flow);
    if (step != STEP_MOVED) return step;
  }
}

/* Whether it came in such small pieces that more of it should be waited for: only TCP, whose sender goes on meanwhile, and
   only while its window is far from full. */
static bool is_sparse(const struct flow *flow, size_t moved) {
  int window = 0;
  socklen_t length = sizeof window;
  if (!flow->bulk || flow->copies || flow->source->kind != KIND_SOCKET || flow->sink->kind != KIND_SOCKET) return false;
  if (moved >= (size_t)flow->turn_reads * PIPE_BYTES || !flow->source->short_is_all) return false; /* of a Unix socket */
  if (getsockopt(flow->source->fd, SOL_SOCKET, SO_RCVBUF, &window, &length) != 0) return false;
  return moved < (size_t)window / 4;
}

static void count_turn(struct loop *loop, const struct flow *flow, size_t moved) {
  if (moved == 0) return;
  loop->turns++;
  if (is_sparse(flow, moved)) loop->sparse_turns++;
}

/* Whether what came before the end is still on its way to the sink, within the flow's time: of a flow that is cut, and of
   one whose source has broken. A sink that has left answers it by a reset of its own, and then nobody misses the rest. */
static bool is_arriving(const struct flow *flow) {
  bool waits = flow->error ? flow->side == SIDE_SOURCE : flow->cut;
  return waits && flow->until_ns && !has_arrived(flow->sink->fd);
}

/* Carries what can be carried now, but leaves the thread to the other flows after a while. */
void turn_flow(struct loop *loop, struct flow *flow) {
  if (flow->ended) return;
  enum step step = STEP_OVER;
  uint64_t before = flow->bytes_read;
  flow->turn_reads = 0;
  if (flow->sink->error) break_flow(flow, SIDE_SINK, flow->sink->error);
  else step = take_steps(loop, flow);
  if (step == STEP_OVER) {
    if (flow->side == SIDE_SOURCE && flow->source) limit_reader(loop, flow->source);
    if (!is_arriving(flow)) end_flow(loop, flow);
    return; /* else it ends when it has arrived, or its time is over */
  }
  count_turn(loop, flow, (size_t)(flow->bytes_read - before));
  if (step == STEP_MOVED) queue_flow(loop, flow);
  if (step == STEP_WAIT && flow->pipe && flow->piped == 0) {
    give_pipe(loop, flow->pipe, true);
    flow->pipe = NULL;
  }
  __atomic_store_n(&flow->blocked, step == STEP_WAIT && !flow->sink->can_write, __ATOMIC_RELAXED);
}

/* As if the source had ended now. */
void finish_flow(struct loop *loop, struct flow *flow) {
  if (flow->ended) return;
  flow->source_ended = true;
  queue_flow(loop, flow);
}

/* Whether its last bytes are arriving, or nothing takes them. Not where its source has only left (EPIPE): what that sent is
   whole, and is delivered as any other. */
static bool is_breaking(const struct flow *flow) {
  int error = flow->source ? flow->source->error : 0;
  return flow->error || (error && error != EPIPE) || flow->sink->error;
}

/* Ends it where it stands, for JavaScript to go on with what was read and not taken. Not one that is breaking: it ends by
   itself. Of the two flows of a connection, which are told together, both are handed back or neither: a break is noted at an
   end that they share. Only where one side has left, the way to it breaks, and the way from it is handed back. */
void hand_back_flow(struct loop *loop, struct flow *flow) {
  if (flow->ended || is_breaking(flow)) return;
  if (flow->piped > 0 && !take_back_piped(flow)) {
    break_flow(flow, SIDE_SINK, errno);
  } else {
    flow->handed_back = true;
    flow->error = ECANCELED;
    if (flow->source_ended) flow->side = SIDE_SOURCE;
  }
  end_flow(loop, flow);
}

/* Ends it from our side: what was read arrives, within the limit, and its end says that it was stopped. */
void cut_flow(struct loop *loop, struct flow *flow) {
  if (flow->ended) return;
  if (!flow->source_ended) flow->cut = flow->source_ended = true;
  limit_flow(loop, flow, CUT_MS);
  queue_flow(loop, flow);
}

/* Of a flow with a limit, between its turns. */
void look_at_arrival(struct loop *loop, struct flow *flow) {
  bool is_over = flow->cut || (flow->error && flow->side == SIDE_SOURCE);
  if (is_over && !flow->held && flow->piped == 0 && has_arrived(flow->sink->fd)) end_flow(loop, flow);
}

/* Its time is over. */
void expire_flow(struct loop *loop, struct flow *flow) {
  int error = flow->source ? flow->source->error : 0;
  if (error) break_flow(flow, SIDE_SOURCE, error);
  else flow->error = ECANCELED;
  end_flow(loop, flow);
}

void stop_flow(struct loop *loop, struct flow *flow) {
  if (flow->ended) return;
  if (!flow->error) flow->error = ECANCELED; /* else it has broken, and its last bytes were arriving */
  end_flow(loop, flow);
}
