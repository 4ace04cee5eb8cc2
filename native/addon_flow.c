/* The addon's functions for flows. */
#include "addon.h"
#include "random_delay.h"
#include "engine_api.h"
#include "js_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { START_FIELDS = 6, ENDING_FIELDS = 8, STATE_FIELDS = 4 };

/* Not in a worker thread: what ends one closes the sockets of JavaScript before the engine is stopped, and another thread
   may get their numbers. */
static bool may_be_lent(void) {
  return getpid() == (pid_t)syscall(SYS_gettid);
}

static uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What is left of the time for what came before the source's break; -1 when it has not broken under the flow. */
static double rest_ms(const struct flow *flow, uint64_t now_ns) {
  if (flow->until_ns == 0) return -1;
  return now_ns < flow->until_ns ? (double)(flow->until_ns - now_ns) / 1e6 : 0;
}

/* What was read and not taken of a flow that is handed back. */
static size_t handed_bytes(const struct flow *flow) {
  return flow->handed_back ? flow->held_to - flow->held_from : 0;
}

/* [id, errno, side, bytesRead, bytesSent, restMs, oppositeRead, handedBytes] for each ending of the batch. */
static void write_ending(double *fields, const struct flow *flow) {
  fields[0] = flow->id;
  fields[1] = flow->error;
  fields[2] = flow->side;
  fields[3] = (double)flow->bytes_read;
  fields[4] = (double)flow->bytes_sent;
  fields[5] = rest_ms(flow, clock_ns());
  fields[6] = (double)flow->opposite_read;
  fields[7] = flow->handed_back ? (double)handed_bytes(flow) : -1;
}

static void forget_flow(struct engine *engine, struct flow *flow) {
  drop_slot(engine, flow->id);
  /* Without memory for the command the flow's own stays allocated: a leak is better than a dangling pointer. */
  (void)send_command(engine, RELEASE_FLOW, flow);
}

static void report_endings(napi_env env, napi_value listener, struct engine *engine, struct flow *ended) {
  size_t count = 0, length = 0;
  for (const struct flow *flow = ended; flow; flow = flow->next_ended) {
    count++;
    length += handed_bytes(flow);
  }
  if (count == 0) return;
  void *rows = NULL, *handed = NULL;
  napi_value global, arguments[2] = {NULL, NULL};
  arguments[0] = make_array(env, napi_float64_array, count * ENDING_FIELDS, sizeof(double), &rows);
  if (length > 0) arguments[1] = make_array(env, napi_uint8_array, length, 1, &handed);
  double *fields = rows;
  uint8_t *bytes = handed;
  bool is_told = arguments[0] && (length == 0 || arguments[1]);
  while (ended) {
    struct flow *next = ended->next_ended;
    if (is_told) {
      write_ending(fields, ended);
      fields += ENDING_FIELDS;
      size_t part = handed_bytes(ended);
      if (part > 0) memcpy(bytes, ended->held + ended->held_from, part);
      if (part > 0) bytes += part;
    }
    forget_flow(engine, ended);
    ended = next;
  }
  count_down(engine, count);
  if (is_told && ok(env, napi_get_global(env, &global))) {
    /* An exception that the listener throws is reported by Node as uncaught. */
    (void)napi_call_function(env, global, listener, length > 0 ? 2 : 1, arguments, NULL);
  }
}

static void hand_out(napi_env env, napi_value listener, void *context, void *data) {
  (void)data;
  if (!env) return; /* the environment is going away, and destroy_engine may have run */
  delay_at_random(DELAY_NOTIFY_MS);
  report_endings(env, listener, context, take_ended(context));
  hand_out_lane_notifications(env, context);
}

/* listen(listener): registers the listener for endings. Once, before the first flow. */
static napi_value listen_for_endings(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  napi_value name;
  if (!get_arguments(env, info, &arguments)) return NULL;
  struct engine *engine = arguments.data;
  if (engine->listener) return NULL;
  if (!ok(env, napi_create_string_utf8(env, "tnet flows", NAPI_AUTO_LENGTH, &name))) return NULL;
  if (!ok(env, napi_create_threadsafe_function(env, arguments.values[0], NULL, name, 0, 1, NULL, NULL, engine, hand_out,
                                               &engine->listener))) {
    return NULL;
  }
  /* Running flows keep the process alive, waiting ones do not. */
  if (!ok(env, napi_unref_threadsafe_function(env, engine->listener))) return NULL;
  /* Hooks run last one first: the thread has to be gone before Node takes down the listener that it calls. */
  if (!ok(env, napi_remove_env_cleanup_hook(env, destroy_engine, engine))) return NULL;
  ok(env, napi_add_env_cleanup_hook(env, destroy_engine, engine));
  return NULL;
}

static int dup_unless_lent(int fd, enum lent lent) {
  return lent ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* NULL with errno. */
static struct flow *create_flow(const int32_t *numbers, const uint8_t *head, size_t length) {
  int source_fd = numbers[0], sink_fd = numbers[1];
  struct flow *flow = calloc(1, sizeof *flow);
  if (!flow) return NULL;
  if (length > 0) {
    flow->held = malloc(length);
    if (!flow->held) {
      free(flow);
      return NULL;
    }
    memcpy(flow->held, head, length);
    flow->held_to = flow->bytes_read = length;
  }
  flow->source_lent = may_be_lent() ? (enum lent)numbers[4] : NOT_LENT;
  flow->sink_lent = may_be_lent() ? (enum lent)numbers[5] : NOT_LENT;
  flow->source_fd = source_fd < 0 ? -1 : dup_unless_lent(source_fd, flow->source_lent);
  flow->sink_fd = source_fd >= 0 && flow->source_fd < 0 ? -1 : dup_unless_lent(sink_fd, flow->sink_lent);
  flow->active_ns = clock_ns();
  flow->over = report_ended;
  if (flow->sink_fd >= 0) return flow;
  int error = errno;
  discard_flow(flow);
  errno = error;
  return NULL;
}

static int launch(struct engine *engine, struct flow *flow) {
  int error = start_loop(engine);
  if (error) return error;
  flow->id = add_slot(engine, FLOW, flow);
  if (flow->id == 0) return ENOMEM;
  error = send_command(engine, START_FLOW, flow);
  if (error) drop_slot(engine, flow->id);
  return error;
}

/* start([sourceFd | -1, sinkFd, halfClose, lastWordsMs, sourceLent, sinkLent], head | undefined) → id. What is not lent is
   duplicated, not taken. */
static napi_value start(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  uint8_t *bytes, *head;
  size_t count, length;
  if (!get_arguments(env, info, &arguments) || !get_bytes(&arguments, 0, &bytes, &count)) return NULL;
  if (!get_bytes(&arguments, 1, &head, &length)) return NULL;
  if (count < START_FIELDS) return throw_errno(env, "start", EINVAL);
  const int32_t *numbers = (const int32_t *)(void *)bytes;
  struct engine *engine = arguments.data;
  struct flow *flow = create_flow(numbers, head, length);
  if (!flow) return throw_errno(env, "dup", errno);
  flow->half_close = numbers[2] != 0;
  flow->last_words_ms = (unsigned)numbers[3];
  int error = launch(engine, flow);
  if (error) {
    discard_flow(flow);
    return throw_errno(env, "start", error);
  }
  count_up(engine);
  return make_number(env, flow->id);
}

/* gather(on): flows that are started between true and false begin together. */
static napi_value gather(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  bool on;
  if (!get_arguments(env, info, &arguments)) return NULL;
  if (!ok(env, napi_get_value_bool(env, arguments.values[0], &on))) return NULL;
  gather_commands(arguments.data, on);
  return NULL;
}

static napi_value command(napi_env env, napi_callback_info info, enum operation operation) {
  struct arguments arguments;
  double id;
  if (!get_arguments(env, info, &arguments) || !get_number(&arguments, 0, &id)) return NULL;
  struct flow *flow = find_slot(arguments.data, FLOW, id);
  int error = flow ? send_command(arguments.data, operation, flow) : 0;
  return error ? throw_errno(env, "command", error) : NULL;
}

/* stop(id): ends with ECANCELED, unless it has ended by itself. */
static napi_value stop(napi_env env, napi_callback_info info) {
  return command(env, info, STOP_FLOW);
}

/* finish(id): as if the source had ended. */
static napi_value finish(napi_env env, napi_callback_info info) {
  return command(env, info, FINISH_FLOW);
}

/* handBack(Float64Array ids, deliver): ends flows with what was read and not taken, unless they have ended, or are breaking;
   `deliver` is called before this returns. */
static napi_value hand_back(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  uint8_t *bytes;
  size_t count;
  if (!get_arguments(env, info, &arguments) || !get_bytes(&arguments, 0, &bytes, &count)) return NULL;
  struct engine *engine = arguments.data;
  const double *ids = (const double *)(void *)bytes;
  bool was_gathering = engine->gathering;
  gather_commands(engine, true); /* nothing happens to the first before the last is handed back */
  for (size_t i = 0; i < count; i++) {
    struct flow *flow = find_slot(engine, FLOW, ids[i]);
    if (flow && send_command(engine, HAND_BACK_FLOW, flow) != 0) break;
  }
  gather_commands(engine, false);
  wait_until_obeyed(engine);
  if (was_gathering) gather_commands(engine, true);
  report_endings(env, arguments.values[1], engine, take_handed_back(engine));
  return NULL;
}

/* read(id, Float64Array): [bytesRead, bytesSent, idleMs, blocked]; the array is left alone for a flow that is over. */
static napi_value read_state(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  double id;
  uint8_t *bytes;
  size_t length;
  if (!get_arguments(env, info, &arguments) || !get_number(&arguments, 0, &id)) return NULL;
  if (!get_bytes(&arguments, 1, &bytes, &length) || length < STATE_FIELDS) return NULL;
  const struct flow *flow = find_slot(arguments.data, FLOW, id);
  if (!flow) return NULL;
  uint64_t active = __atomic_load_n(&flow->active_ns, __ATOMIC_RELAXED), now = clock_ns();
  double *fields = (double *)(void *)bytes;
  fields[0] = (double)__atomic_load_n(&flow->bytes_read, __ATOMIC_RELAXED);
  fields[1] = (double)__atomic_load_n(&flow->bytes_sent, __ATOMIC_RELAXED);
  fields[2] = now > active ? (double)(now - active) / 1e6 : 0;
  fields[3] = __atomic_load_n(&flow->blocked, __ATOMIC_RELAXED);
  return NULL;
}

/* describe(fd) → a kind of engine.h, or -errno. */
static napi_value describe(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  int kind = (int)describe_descriptor(fd);
  return make_number(env, kind == KIND_OTHER && errno ? -errno : kind);
}

bool add_flow_functions(const struct exports *exports) {
  return add_function(exports, "listen", listen_for_endings) &&
         add_function(exports, "start", start) && add_function(exports, "stop", stop) &&
         add_function(exports, "finish", finish) && add_function(exports, "handBack", hand_back) &&
         add_function(exports, "gather", gather) &&
         add_function(exports, "read", read_state) &&
         add_function(exports, "describe", describe);
}
