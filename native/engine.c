/* The engine of one JavaScript environment: its thread, its two mailboxes, and its end. */
#include "engine_api.h"
#include "lane.h"
#include "js_value.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct engine *create_engine(napi_env env) {
  struct engine *engine = calloc(1, sizeof *engine);
  if (!engine) return NULL;
  engine->env = env;
  engine->ended_tail = &engine->ended;
  engine->notified_connections_tail = &engine->notified_connections;
  engine->free_slot = UINT32_MAX;
  pthread_mutex_init(&engine->lock, NULL);
  pthread_cond_init(&engine->on_obeyed, NULL);
  return engine;
}

/* The thread takes no signals: they are the JavaScript thread's, and SIGPIPE of a splice has no MSG_NOSIGNAL. */
static int start_thread(struct engine *engine) {
  sigset_t all, before;
  sigfillset(&all);
  int error = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (error) return error;
  error = pthread_create(&engine->thread, NULL, run_loop, engine->loop);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

int start_loop(struct engine *engine) {
  int error = 0;
  if (engine->loop) return 0;
  engine->loop = create_loop(engine, &error);
  if (!engine->loop) return error;
  error = start_thread(engine);
  if (error) {
    destroy_loop(engine->loop);
    engine->loop = NULL;
  }
  return error;
}

/* So many releases are obeyed although nothing else is to do. */
enum { RELEASES_MOST = 256 };

/* Commands are obeyed in the order in which they are sent. */
int send_command(struct engine *engine, enum operation operation, void *subject) {
  pthread_mutex_lock(&engine->lock);
  if (engine->command_count == engine->command_room) {
    size_t room = engine->command_room ? engine->command_room * 2 : 16;
    struct command *commands = realloc(engine->commands, room * sizeof *commands);
    if (!commands) {
      pthread_mutex_unlock(&engine->lock);
      return ENOMEM;
    }
    engine->commands = commands;
    engine->command_room = room;
  }
  engine->commands[engine->command_count++] = (struct command){operation, subject};
  /* Memory can wait for the next command that cannot, or until there is some of it: a lane may need no other. */
  bool is_release = operation == RELEASE_FLOW || operation == RELEASE_LANE || operation == RELEASE_CONNECTION;
  bool is_due = !is_release || engine->command_count >= RELEASES_MOST;
  bool wake = !engine->woken && !engine->gathering && is_due;
  if (wake) engine->woken = true;
  pthread_mutex_unlock(&engine->lock);
  if (wake) wake_loop(engine->loop);
  return 0;
}

/* What is sent between on and off is obeyed in one go: nothing happens to the first before the last is known. */
void gather_commands(struct engine *engine, bool on) {
  pthread_mutex_lock(&engine->lock);
  engine->gathering = on;
  bool wake = !on && engine->command_count > 0 && !engine->woken;
  if (wake) engine->woken = true;
  pthread_mutex_unlock(&engine->lock);
  if (wake) wake_loop(engine->loop);
}

/* The caller frees the commands. */
size_t take_commands(struct engine *engine, struct command **commands) {
  pthread_mutex_lock(&engine->lock);
  if (engine->gathering) {
    engine->woken = false;
    pthread_mutex_unlock(&engine->lock);
    *commands = NULL;
    return 0;
  }
  size_t count = engine->command_count;
  *commands = engine->commands;
  engine->commands = NULL;
  engine->command_count = engine->command_room = 0;
  engine->woken = false;
  pthread_mutex_unlock(&engine->lock);
  return count;
}

/* For a flow that has ended in order while the opposite one goes on: nothing waits for that report. */
static bool is_half_of_connection(const struct flow *flow) {
  return flow->error == 0 && flow->source && flow->source->writer;
}

/* Linked through the flow itself, so that an ending can always be told, memory or not. */
void report_ended(struct loop *loop, struct flow *flow) {
  struct engine *engine = loop->engine;
  bool can_wait = is_half_of_connection(flow);
  pthread_mutex_lock(&engine->lock);
  flow->next_ended = NULL;
  *engine->ended_tail = flow;
  engine->ended_tail = &flow->next_ended;
  if (!can_wait) engine->has_urgent_ending = true;
  pthread_mutex_unlock(&engine->lock);
}

/* Once a round, so that the endings of a round arrive as one batch. What connections of lanes do, and that one direction of
   a connection has ended, waits until there has been no word for a while: under load a batch has many of them, and most in
   one row from accept to end. Not where one of them waits for an answer. */
void tell_javascript(struct loop *loop) {
  struct engine *engine = loop->engine;
  bool rests = loop->now_ns - loop->told_ns < (uint64_t)NOTIFY_REST_MS * 1000000u;
  pthread_mutex_lock(&engine->lock);
  bool urgent = engine->has_urgent_ending || engine->notified_lanes || engine->is_asked;
  bool waits = engine->ended || engine->notified_connections;
  bool tell = (urgent || (waits && !rests)) && !engine->told;
  if (tell) engine->told = true;
  loop->has_notifications = waits && !engine->told;
  pthread_mutex_unlock(&engine->lock);
  if (!tell) return;
  loop->told_ns = loop->now_ns;
  napi_status status = napi_call_threadsafe_function(engine->listener, NULL, napi_tsfn_nonblocking);
  /* napi_closing: the environment is going away, and there is no listener left. */
  if (status != napi_ok && status != napi_closing) {
    pthread_mutex_lock(&engine->lock);
    engine->told = false;
    pthread_mutex_unlock(&engine->lock);
  }
}

struct flow *take_ended(struct engine *engine) {
  pthread_mutex_lock(&engine->lock);
  struct flow *ended = engine->ended;
  engine->ended = NULL;
  engine->ended_tail = &engine->ended;
  engine->has_urgent_ending = false;
  engine->told = false;
  pthread_mutex_unlock(&engine->lock);
  return ended;
}

/* Those that are handed back, out of the list of the ended. */
struct flow *take_handed_back(struct engine *engine) {
  struct flow *taken = NULL, **taken_tail = &taken;
  pthread_mutex_lock(&engine->lock);
  for (struct flow **link = &engine->ended; *link;) {
    struct flow *flow = *link;
    if (!flow->handed_back) {
      link = &flow->next_ended;
      continue;
    }
    *link = flow->next_ended;
    if (engine->ended_tail == &flow->next_ended) engine->ended_tail = link;
    flow->next_ended = NULL;
    *taken_tail = flow;
    taken_tail = &flow->next_ended;
  }
  pthread_mutex_unlock(&engine->lock);
  return taken;
}

/* Until the engine's thread has obeyed all that was sent before. It is never long: a turn of the loop. */
void wait_until_obeyed(struct engine *engine) {
  engine->obeyed = false; /* nobody else waits: the JavaScript thread is one */
  while (send_command(engine, TELL_OBEYED, NULL) != 0) usleep(1000);
  pthread_mutex_lock(&engine->lock);
  while (!engine->obeyed) pthread_cond_wait(&engine->on_obeyed, &engine->lock);
  pthread_mutex_unlock(&engine->lock);
}

void tell_obeyed(struct engine *engine) {
  pthread_mutex_lock(&engine->lock);
  engine->obeyed = true;
  pthread_cond_signal(&engine->on_obeyed);
  pthread_mutex_unlock(&engine->lock);
}

void count_up(struct engine *engine) {
  if (engine->live++ == 0) ok(engine->env, napi_ref_threadsafe_function(engine->env, engine->listener));
}

void count_down(struct engine *engine, size_t count) {
  engine->live -= count;
  if (count > 0 && engine->live == 0) ok(engine->env, napi_unref_threadsafe_function(engine->env, engine->listener));
}

static void stop_thread(struct engine *engine) {
  gather_commands(engine, false); /* a worker may be ended between on and off */
  while (send_command(engine, QUIT, NULL) != 0) usleep(1000);
  pthread_join(engine->thread, NULL);
}

static void free_released(struct engine *engine) {
  struct command *commands = NULL;
  size_t count = take_commands(engine, &commands);
  for (size_t i = 0; i < count; i++) {
    enum operation operation = commands[i].operation;
    if (operation == RELEASE_FLOW) free_flow(commands[i].subject);
    if (operation == RELEASE_CONNECTION) free_connection(commands[i].subject);
    if (operation == RELEASE_LANE || operation == OPEN_LANE) free_lane(commands[i].subject);
  }
  free(commands);
}

static void abandon_flow(struct loop *loop, struct flow *flow) {
  if (flow->begun) {
    stop_flow(loop, flow);
    free_flow(flow);
  } else {
    discard_flow(flow);
  }
}

static void free_notified(struct engine *engine) {
  struct connection *connection = take_notified_connections(engine);
  while (connection) {
    struct connection *next = connection->next_handed;
    free_connection(connection);
    connection = next;
  }
  struct lane *lane = take_notified_lanes(engine);
  while (lane) {
    struct lane *next = lane->next_notified;
    free_lane(lane);
    lane = next;
  }
}

/* The environment's clean-up hook: after it no descriptor and no thread is left. */
void destroy_engine(void *argument) {
  struct engine *engine = argument;
  if (engine->loop) {
    stop_thread(engine);
    free_released(engine);
    for (uint32_t i = 0; i < engine->slot_count; i++) {
      if (engine->slots[i].kind == FLOW && engine->slots[i].subject) {
        abandon_flow(engine->loop, engine->slots[i].subject);
      }
    }
    destroy_loop(engine->loop);
    free_notified(engine); /* every lane and connection has ended now, and those that JavaScript has not let go are in the lists */
  }
  pthread_cond_destroy(&engine->on_obeyed);
  pthread_mutex_destroy(&engine->lock);
  free(engine->commands);
  free(engine->slots);
  free(engine);
}
