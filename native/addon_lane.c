/* The addon's functions for express lanes. */
#include "addon.h"
#include "lane.h"
#include "js_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { OPTION_FIELDS = 13, ANSWER_FIELDS = 4, STATE_FIELDS = 6, ADDRESS_BYTES = 128 };

static bool fill_ipv6(struct sockaddr_in6 *address, char *text) {
  char *zone = strchr(text, '%');
  if (zone) {
    *zone++ = '\0';
    address->sin6_scope_id = if_nametoindex(zone);
    if (address->sin6_scope_id == 0) return false;
  }
  address->sin6_family = AF_INET6;
  return inet_pton(AF_INET6, text, &address->sin6_addr) == 1;
}

/* A port of -1 makes `text` a Unix path; a leading NUL makes that one abstract. */
bool fill_target(struct target *target, char *text, size_t length, int port) {
  struct sockaddr_in *ipv4 = (struct sockaddr_in *)&target->address;
  struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&target->address;
  struct sockaddr_un *local = (struct sockaddr_un *)&target->address;
  memset(&target->address, 0, sizeof target->address);
  if (port < 0) {
    if (length >= sizeof local->sun_path) return false;
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, text, length);
    target->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (text[0] == '\0' ? 0 : 1));
    return true;
  }
  target->length = sizeof *ipv4;
  ipv4->sin_family = AF_INET;
  ipv4->sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) return true;
  target->length = sizeof *ipv6;
  memset(ipv6, 0, sizeof *ipv6);
  ipv6->sin6_port = htons((uint16_t)port);
  return fill_ipv6(ipv6, text);
}

/* Fills in an address of the list; `what` is what an error is about. */
static bool read_address(const struct arguments *arguments, uint32_t index, int port, struct target *target,
                         const char *what) {
  char text[ADDRESS_BYTES];
  size_t length = 0;
  napi_env env = arguments->env;
  napi_value element;
  if (!ok(env, napi_get_element(env, arguments->values[1], index, &element))) return false;
  if (!ok(env, napi_get_value_string_utf8(env, element, text, sizeof text, &length))) return false;
  if (fill_target(target, text, length, port)) return true;
  throw_errno(env, what, EINVAL);
  return false;
}

static bool read_block(const struct arguments *arguments, struct block *block, uint32_t index, const int32_t *numbers) {
  struct target target;
  struct name name;
  if (!read_address(arguments, index, 0, &target, "block")) return false;
  fill_name(&name, &target.address);
  *block = (struct block){.allows = numbers[0] != 0, .family = name.family, .bits = (uint8_t)numbers[1]};
  memcpy(block->words, name.words, sizeof block->words);
  return true;
}

static bool read_blocks(const struct arguments *arguments, struct lane *lane) {
  uint8_t *bytes;
  size_t count;
  if (!get_bytes(arguments, 3, &bytes, &count)) return false;
  const int32_t *numbers = (const int32_t *)(void *)bytes;
  lane->blocks = calloc(count / 2 + 1, sizeof *lane->blocks);
  if (!lane->blocks) {
    throw_errno(arguments->env, "openLane", ENOMEM);
    return false;
  }
  for (uint32_t i = 0; i < count / 2; i++) {
    if (!read_block(arguments, &lane->blocks[i], lane->target_count + i, numbers + 2 * (size_t)i)) return false;
    lane->block_count++;
  }
  return true;
}

static int duplicate_listener(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -1;
  if (flags & O_NONBLOCK) return fcntl(fd, F_DUPFD_CLOEXEC, 3);
  errno = EINVAL; /* accept would hold up every other flow */
  return -1;
}

static bool take_listener(const struct arguments *arguments, struct lane *lane, int fd) {
  lane->listen_fd = duplicate_listener(fd);
  if (lane->listen_fd < 0) throw_errno(arguments->env, "openLane", errno);
  return lane->listen_fd >= 0;
}

static bool read_lane(const struct arguments *arguments, struct lane *lane) {
  uint8_t *bytes;
  size_t count;
  if (!get_bytes(arguments, 2, &bytes, &count)) return false;
  const int32_t *ports = (const int32_t *)(void *)bytes;
  for (uint32_t i = 0; i < count && i < TARGETS_MOST; i++) {
    if (!read_address(arguments, i, ports[i], &lane->targets[i], "target")) return false;
    lane->target_count++;
  }
  if (!get_bytes(arguments, 0, &bytes, &count)) return false;
  if (count < OPTION_FIELDS) {
    throw_errno(arguments->env, "openLane", EINVAL);
    return false;
  }
  const double *options = (const double *)(void *)bytes;
  lane->no_delay = options[1] != 0;
  lane->most = (uint32_t)options[2];
  lane->idle_ns = (uint64_t)(options[3] * 1e6);
  lane->connect_ns = (uint64_t)(options[4] * 1e6);
  lane->life_ns = (uint64_t)(options[5] * 1e6);
  lane->last_free_fd = (int)options[6];
  lane->last_words_ms = (unsigned)options[7];
  lane->has_allow = options[8] != 0;
  lane->has_deny = options[9] != 0;
  lane->asks = options[10] != 0;
  lane->hears = options[11] != 0;
  lane->echoes = options[12] != 0;
  return read_blocks(arguments, lane) && take_listener(arguments, lane, (int)options[0]);
}

static int launch_lane(struct engine *engine, struct lane *lane) {
  int error = start_loop(engine);
  if (error) return error;
  lane->id = add_slot(engine, LANE, lane);
  if (lane->id == 0) return ENOMEM;
  error = send_command(engine, OPEN_LANE, lane);
  if (error) drop_slot(engine, lane->id);
  else count_up(engine);
  return error;
}

/*
 * openLane([listenFd, noDelay, connectionsMost, idleMs, connectMs, lifeMs, lastFreeFd, lastWordsMs, hasAllow,
 * hasDeny, asks, hears, echoes], addresses, ports, [isAllowed, bits, …]) → id. The addresses are those of the
 * targets, one for each port, and then those of the access lists' blocks. The listening descriptor is duplicated;
 * its owner should stop accepting.
 */
static napi_value open_lane(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  if (!get_arguments(env, info, &arguments)) return NULL;
  struct lane *lane = create_lane();
  if (!lane) return throw_errno(env, "openLane", ENOMEM);
  if (!read_lane(&arguments, lane)) {
    free_lane(lane);
    return NULL;
  }
  int error = launch_lane(arguments.data, lane);
  if (!error) return make_number(env, lane->id);
  free_lane(lane);
  return throw_errno(env, "openLane", error);
}

/* listenToLanes(listener): registers the listener for lanes and their connections. Once, after listen(). */
static napi_value listen_to_lanes(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  if (!get_arguments(env, info, &arguments)) return NULL;
  struct engine *engine = arguments.data;
  if (!engine->lane_listener) ok(env, napi_create_reference(env, arguments.values[0], 1, &engine->lane_listener));
  return NULL;
}

/* tellLanes(): tells the listener, before it returns, what it has not been told yet. */
static napi_value tell_lanes(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  if (!get_arguments(env, info, &arguments)) return NULL;
  hand_out_lane_notifications(env, arguments.data);
  return NULL;
}

static struct answer *create_answer(const double *numbers, const uint8_t *head) {
  size_t length = (size_t)numbers[3];
  struct answer *answer = calloc(1, sizeof *answer + length);
  if (!answer) return NULL;
  answer->has_target = numbers[1] >= -1;
  answer->gives = numbers[1] == -3;
  answer->skipped = (size_t)numbers[2];
  answer->head_length = length;
  if (length > 0) memcpy(answer->head, head, length);
  return answer;
}

/* 0 or errno: then the connection has no answer. One that is over needs none. */
static int send_answer(struct engine *engine, double id, struct answer *answer) {
  struct connection *connection = find_slot(engine, CONNECTION, id);
  int error = connection && !connection->answer ? 0 : EINVAL;
  if (!error) {
    connection->answer = answer;
    error = send_command(engine, ANSWER_CONNECTION, connection);
    if (!error) return 0;
    connection->answer = NULL;
  }
  free(answer);
  return connection ? error : 0;
}

/*
 * answerConnections([id, port, skipped, headLength, …], addresses, heads): four numbers and an address for each. A port of -1 is
 * a Unix path, -2 the lane's own targets, and -3 gives the connection away, as takeConnection() does. The heads follow each other.
 */
static napi_value answer_connections(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  uint8_t *bytes, *head;
  size_t count, room;
  if (!get_arguments(env, info, &arguments)) return NULL;
  if (!get_bytes(&arguments, 0, &bytes, &count) || !get_bytes(&arguments, 2, &head, &room)) return NULL;
  const double *numbers = (const double *)(void *)bytes;
  for (uint32_t i = 0; i < count / ANSWER_FIELDS; i++, numbers += ANSWER_FIELDS) {
    struct answer *answer = create_answer(numbers, head);
    if (!answer) return throw_errno(env, "answerConnections", ENOMEM);
    head += answer->head_length;
    if (answer->has_target && !read_address(&arguments, i, (int)numbers[1], &answer->target, "answerConnections")) {
      free(answer);
      return NULL;
    }
    int error = send_answer(arguments.data, numbers[0], answer);
    if (error) return throw_errno(env, "answerConnections", error);
  }
  return NULL;
}

static napi_value command(napi_env env, napi_callback_info info, enum subject kind, enum operation operation) {
  struct arguments arguments;
  double id;
  if (!get_arguments(env, info, &arguments) || !get_number(&arguments, 0, &id)) return NULL;
  void *subject = find_slot(arguments.data, kind, id);
  int error = subject ? send_command(arguments.data, operation, subject) : 0;
  return error ? throw_errno(env, "command", error) : NULL;
}

/* closeLane(id): no new connections from now on, and the address is free; those that are there go on. */
static napi_value close_one(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  double id;
  if (!get_arguments(env, info, &arguments) || !get_number(&arguments, 0, &id)) return NULL;
  const struct engine *engine = arguments.data;
  struct lane *lane = find_slot(engine, LANE, id);
  if (lane) shut_lane(engine->loop, lane);
  return command(env, info, LANE, CLOSE_LANE);
}

/* stopLane(id): no new connections; those that are there are reset. */
static napi_value stop_one(napi_env env, napi_callback_info info) {
  return command(env, info, LANE, STOP_LANE);
}

/* stopConnection(id): resets both sides. */
static napi_value stop_connection_of(napi_env env, napi_callback_info info) {
  return command(env, info, CONNECTION, STOP_CONNECTION);
}

/* cutConnection(id): what has been read is delivered, and what had not ended is reset. */
static napi_value cut_connection_of(napi_env env, napi_callback_info info) {
  return command(env, info, CONNECTION, CUT_CONNECTION);
}

/* takeConnection(id): JavaScript gets it as it is, with the connect that is under way, if it is not joined yet. */
static napi_value take_connection_of(napi_env env, napi_callback_info info) {
  return command(env, info, CONNECTION, TAKE_CONNECTION);
}

static double *write_state(double *fields, struct flow *flow) {
  *fields++ = (double)__atomic_load_n(&flow->bytes_read, __ATOMIC_RELAXED);
  *fields++ = (double)__atomic_load_n(&flow->bytes_sent, __ATOMIC_RELAXED);
  *fields++ = __atomic_load_n(&flow->blocked, __ATOMIC_RELAXED);
  return fields;
}

/* readConnection(id, state): fills in bytesRead, bytesSent and blocked of both directions, up first. */
static napi_value read_connection(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  double id;
  uint8_t *bytes;
  size_t length;
  if (!get_arguments(env, info, &arguments) || !get_number(&arguments, 0, &id)) return NULL;
  if (!get_bytes(&arguments, 1, &bytes, &length) || length < STATE_FIELDS) return NULL;
  struct connection *connection = find_slot(arguments.data, CONNECTION, id);
  if (connection) write_state(write_state((double *)(void *)bytes, &connection->up), &connection->down);
  return NULL;
}

bool add_lane_functions(const struct exports *exports) {
  return add_function(exports, "listenToLanes", listen_to_lanes) &&
         add_function(exports, "tellLanes", tell_lanes) &&
         add_function(exports, "openLane", open_lane) &&
         add_function(exports, "closeLane", close_one) &&
         add_function(exports, "stopLane", stop_one) &&
         add_function(exports, "stopConnection", stop_connection_of) &&
         add_function(exports, "cutConnection", cut_connection_of) &&
         add_function(exports, "answerConnections", answer_connections) &&
         add_function(exports, "takeConnection", take_connection_of) &&
         add_function(exports, "readConnection", read_connection);
}
