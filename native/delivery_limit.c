/*
 * Time limits of flows: one whose source has broken, or that is to end, delivers what it has read to a sink that may take
 * nothing. A side that is never told, because the other one waits for it, would keep both for ever.
 */
#include "engine.h"

#include <errno.h>

static void add_limited(struct loop *loop, struct flow *flow) {
  flow->next_limited = loop->limited;
  flow->limited_link = &loop->limited;
  if (flow->next_limited) flow->next_limited->limited_link = &flow->next_limited;
  loop->limited = flow;
}

void limit_flow(struct loop *loop, struct flow *flow, unsigned limit_ms) {
  if (flow->ended || flow->until_ns) return;
  flow->until_ns = loop->now_ns + (uint64_t)limit_ms * 1000000u;
  if (!loop->limited) loop->tick_ns = loop->now_ns;
  add_limited(loop, flow);
}

/* The end has broken: its reader has only this much time left. Not after an orderly end, which EPIPE indicates:
   then the stream is whole, and is delivered as any other. */
void limit_reader(struct loop *loop, const struct end *end) {
  struct flow *flow = end->reader;
  if (flow && flow->last_words_ms && end->error && end->error != EPIPE) limit_flow(loop, flow, flow->last_words_ms);
}

void free_of_limit(struct flow *flow) {
  if (!flow->limited_link) return;
  *flow->limited_link = flow->next_limited;
  if (flow->next_limited) flow->next_limited->limited_link = flow->limited_link;
  flow->limited_link = NULL;
}

/* Ending one may end others, of the same connection: each that is looked at has left the list. */
void tick_limits(struct loop *loop) {
  struct flow *rest = loop->limited;
  if (rest) rest->limited_link = &rest;
  loop->limited = NULL;
  while (rest) {
    struct flow *flow = rest;
    free_of_limit(flow);
    if (loop->now_ns >= flow->until_ns) {
      expire_flow(loop, flow);
      continue;
    }
    add_limited(loop, flow);
    look_at_arrival(loop, flow);
  }
}
