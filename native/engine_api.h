/* The JavaScript thread's side of the engine: commands in, endings out. */
#ifndef TNET_ENGINE_API_H
#define TNET_ENGINE_API_H

#include "engine.h"

#include <node_api.h>
#include <pthread.h>

enum operation {
  START_FLOW,
  FINISH_FLOW,
  HAND_BACK_FLOW,
  TELL_OBEYED,
  STOP_FLOW,
  RELEASE_FLOW,
  OPEN_LANE,
  CLOSE_LANE,
  STOP_LANE,
  RELEASE_LANE,
  STOP_CONNECTION,
  CUT_CONNECTION,
  ANSWER_CONNECTION,
  TAKE_CONNECTION,
  RELEASE_CONNECTION,
  QUIT
};

struct command {
  enum operation operation;
  void *subject; /* a flow, a lane or a connection */
};

enum subject { NO_SUBJECT, FLOW, LANE, CONNECTION };

struct slot {
  void *subject;
  enum subject kind;
  uint32_t generation;
  uint32_t next_free;
};

struct engine {
  pthread_mutex_t lock;
  /* Under the lock. */
  struct command *commands;
  size_t command_count, command_room;
  struct flow *ended, **ended_tail;
  bool has_urgent_ending;
  struct connection *notified_connections, **notified_connections_tail;
  size_t untaken; /* how many connections are in that list */
  bool is_asked;  /* … and one of them waits for an answer */
  struct lane *notified_lanes;
  bool woken; /* the engine thread has been told of the commands */
  bool gathering; /* the commands are to be obeyed together, with what is still to come */
  bool told;  /* the JavaScript thread has been told of the endings */
  bool obeyed; /* TELL_OBEYED has been */
  pthread_cond_t on_obeyed;

  /* The JavaScript thread's. */
  napi_env env;
  napi_threadsafe_function listener;
  napi_ref lane_listener;
  pthread_t thread;
  struct loop *loop;
  struct slot *slots;
  uint32_t slot_count, free_slot;
  size_t live;
};

/* engine.c */
struct engine *create_engine(napi_env env);
int start_loop(struct engine *engine); /* 0 or errno */
void destroy_engine(void *engine);
void gather_commands(struct engine *engine, bool on);
int send_command(struct engine *engine, enum operation operation, void *subject); /* 0 or ENOMEM */
size_t take_commands(struct engine *engine, struct command **commands);               /* [engine thread] */
void report_ended(struct loop *loop, struct flow *flow);                              /* [engine thread] */
void tell_javascript(struct loop *loop);                                              /* [engine thread] */
struct flow *take_ended(struct engine *engine);
struct flow *take_handed_back(struct engine *engine);
void wait_until_obeyed(struct engine *engine);
void tell_obeyed(struct engine *engine); /* [engine thread] */
void count_up(struct engine *engine); /* what runs keeps the process alive */
void count_down(struct engine *engine, size_t count);

/* slots.c */
double add_slot(struct engine *engine, enum subject kind, void *subject); /* 0 when there is no memory */
void *find_slot(const struct engine *engine, enum subject kind, double id);
void drop_slot(struct engine *engine, double id);

#endif
