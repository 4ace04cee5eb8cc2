/* The engine's thread: commands, events, turns. */
#include "random_delay.h"
#include "engine_api.h"
#include "lane.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 256 };

struct loop *create_loop(struct engine *engine, int *error) {
  struct loop *loop = calloc(1, sizeof *loop);
  if (!loop) {
    *error = ENOMEM;
    return NULL;
  }
  loop->engine = engine;
  loop->queue_tail = &loop->queue;
  loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
  if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
      epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wake) != 0) {
    *error = errno;
    destroy_loop(loop);
    return NULL;
  }
  return loop;
}

/* After the thread has ended, or when it never began. */
void destroy_loop(struct loop *loop) {
  destroy_lanes(loop);
  empty_pool(loop);
  bury_ends(loop);
  if (loop->epoll_fd >= 0) close(loop->epoll_fd);
  if (loop->wake_fd >= 0) close(loop->wake_fd);
  free(loop);
}

void wake_loop(struct loop *loop) {
  uint64_t one = 1;
  /* Fails only when the counter is full, and then the thread is about to wake anyway. */
  ssize_t ignored = write(loop->wake_fd, &one, sizeof one);
  (void)ignored;
}

static void note_wake(struct loop *loop) {
  uint64_t count;
  ssize_t ignored = read(loop->wake_fd, &count, sizeof count);
  (void)ignored;
}

/* Has the flow take a turn in this round, or in the next one when called from a turn. */
void queue_flow(struct loop *loop, struct flow *flow) {
  if (flow->link || flow->ended) return;
  flow->next = NULL;
  flow->link = loop->queue_tail;
  *flow->link = flow;
  loop->queue_tail = &flow->next;
}

/* Out of the queue, or of the rest of it that is in its turns. */
void unqueue_flow(struct loop *loop, struct flow *flow) {
  if (!flow->link) return;
  *flow->link = flow->next;
  if (flow->next) flow->next->link = flow->link;
  else if (loop->queue_tail == &flow->next) loop->queue_tail = flow->link;
  flow->link = NULL;
}

/* One turn for each; a turn may end other flows, which then have left the list too. */
static void run_queue(struct loop *loop) {
  loop->running = loop->queue;
  if (loop->running) loop->running->link = &loop->running;
  loop->queue = NULL;
  loop->queue_tail = &loop->queue;
  while (loop->running) {
    struct flow *flow = loop->running;
    unqueue_flow(loop, flow);
    turn_flow(loop, flow);
  }
}

/* False when the thread is to end. */
static bool obey(struct loop *loop, const struct command *command) {
  switch (command->operation) {
    case START_FLOW:
      begin_flow(loop, command->subject);
      return true;
    case FINISH_FLOW:
      finish_flow(loop, command->subject);
      return true;
    case HAND_BACK_FLOW:
      hand_back_flow(loop, command->subject);
      return true;
    case TELL_OBEYED:
      tell_obeyed(loop->engine);
      return true;
    case STOP_FLOW:
      stop_flow(loop, command->subject);
      return true;
    case RELEASE_FLOW:
      free_flow(command->subject);
      return true;
    case OPEN_LANE:
      begin_lane(loop, command->subject);
      return true;
    case CLOSE_LANE:
      close_lane(loop, command->subject);
      return true;
    case STOP_LANE:
      stop_lane(loop, command->subject);
      return true;
    case STOP_CONNECTION:
      stop_connection(loop, command->subject, ECANCELED);
      return true;
    case CUT_CONNECTION:
      cut_connection(loop, command->subject);
      return true;
    case RELEASE_LANE:
      free_lane(command->subject);
      return true;
    case ANSWER_CONNECTION:
      obey_answer(loop, command->subject);
      return true;
    case TAKE_CONNECTION:
      take_connection(loop, command->subject);
      return true;
    case RELEASE_CONNECTION:
      free_connection(command->subject);
      return true;
    case QUIT:
    default:
      return false;
  }
}

static bool obey_all(struct loop *loop) {
  struct command *commands = NULL;
  delay_at_random(DELAY_COMMANDS_MS);
  size_t count = take_commands(loop->engine, &commands);
  bool running = true;
  for (size_t i = 0; i < count && running; i++) running = obey(loop, &commands[i]);
  free(commands);
  return running;
}

static void handle_event(struct loop *loop, const struct epoll_event *event) {
  const enum watch *watched = event->data.ptr;
  if (*watched == WATCH_END) end_event(loop, event->data.ptr, event->events);
  else lane_event(loop, event->data.ptr);
}

static void read_clock(struct loop *loop) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  loop->now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int timeout_of(const struct loop *loop) {
  if (loop->queue) return 0;
  return loop->has_notifications ? NOTIFY_REST_MS : lane_timeout_ms(loop);
}

/* Splicing each packet as it comes contends with its sender for the socket and wakes the receiver for each. Where all
   that this round carried was a few bulk streams by little pieces, the next round's pieces are larger for a short wait:
   measured, a sixth more bytes a second for four fifths of the processor time. */
static void nap(const struct loop *loop) {
  static const struct timespec while_more_comes = {.tv_nsec = NAP_NS};
  if (loop->turns == 0 || loop->turns > NAP_TURNS_MOST || loop->sparse_turns < loop->turns) return;
  nanosleep(&while_more_comes, NULL);
}

void *run_loop(void *argument) {
  struct loop *loop = argument;
  struct epoll_event events[EVENTS_AT_ONCE];
  bool running = true;
  while (running) {
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, timeout_of(loop));
    bool commanded = false;
    read_clock(loop);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr) handle_event(loop, &events[i]);
      else commanded = true;
    }
    loop->turns = loop->sparse_turns = 0;
    run_queue(loop);
    tick_lanes(loop);
    if (commanded) {
      note_wake(loop);
      running = obey_all(loop);
    }
    bury_ends(loop);
    tell_javascript(loop);
    if (running) nap(loop);
  }
  return NULL;
}
