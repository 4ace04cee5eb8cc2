/* The addon's function for port checks: many connects side by side, without an object of JavaScript's for each. */
#include "addon.h"
#include "js_value.h"
#include "lane.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERS = 3, BEGIN_FIELDS = 2, ADDRESS_BYTES = 128, MOST = 1024 };

/* A connect under way: a row of `pending`, which is JavaScript's memory. */
struct pending {
  double fd, key, begun_ms;
};

struct scan_answer {
  double key, error, duration_ms, fd;
};

struct scan {
  double limit_ms; /* of each connect; 0 for none */
  struct pending *pending;
  struct scan_answer *answers;
  size_t pending_count, answer_count;
  int spare_fd, spare_family; /* a socket that was refused, which can be connected again; -1 for none */
};

static double clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* An error of 0 is an open port whose descriptor is handed over, or with a descriptor of -1 one that the limit ran out for. */
static void answer(struct scan *scan, const struct pending *pending, int error, double now_ms) {
  struct scan_answer *row = &scan->answers[scan->answer_count++];
  *row = (struct scan_answer){pending->key, error, now_ms - pending->begun_ms, pending->fd};
}

static int take_socket(struct scan *scan, int family) {
  int fd = scan->spare_fd;
  scan->spare_fd = -1;
  if (fd >= 0 && scan->spare_family == family) return fd;
  if (fd >= 0) close(fd);
  scan->spare_family = family;
  return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* EINPROGRESS, 0 for a connection that is there at once, or why there is none: then the descriptor is taken back. */
static int dial(struct scan *scan, const struct target *target, int *fd) {
  const struct sockaddr *address = (const struct sockaddr *)&target->address;
  *fd = take_socket(scan, target->address.ss_family);
  if (*fd < 0) return errno;
  if (connect(*fd, address, target->length) == 0) return 0;
  /* This machine's ports have answered by now. To ask by connect takes the error, and the socket is as new: connect(2). */
  if (errno == EINPROGRESS && (connect(*fd, address, target->length) == 0 || errno == EISCONN)) return 0;
  if (errno == EALREADY) return EINPROGRESS;
  int error = errno;
  scan->spare_fd = *fd;
  *fd = -1;
  return error;
}

static void begin(struct scan *scan, char *text, size_t length, const double *port_and_key) {
  struct pending pending = {-1, port_and_key[1], clock_ms()};
  struct target target;
  int fd = -1, error = EINVAL; /* the zone of an IPv6 address that this machine has not */
  if (fill_target(&target, text, length, (int)port_and_key[0])) error = dial(scan, &target, &fd);
  pending.fd = fd;
  if (error == EINPROGRESS) scan->pending[scan->pending_count++] = pending;
  else answer(scan, &pending, error, clock_ms());
}

static int wait_ms(const struct scan *scan, double now_ms, double until_ms) {
  for (size_t i = 0; scan->limit_ms > 0 && i < scan->pending_count; i++) {
    double over_ms = scan->pending[i].begun_ms + scan->limit_ms;
    if (over_ms < until_ms) until_ms = over_ms;
  }
  return until_ms <= now_ms ? 0 : (int)(until_ms - now_ms) + 1;
}

/* Waits for answers until `until_ms`, a time that is past for those that are there, and takes them. */
static void look(struct scan *scan, double until_ms) {
  struct pollfd polled[MOST];
  for (size_t i = 0; i < scan->pending_count; i++) {
    polled[i] = (struct pollfd){.fd = (int)scan->pending[i].fd, .events = POLLOUT};
  }
  if (poll(polled, scan->pending_count, wait_ms(scan, clock_ms(), until_ms)) < 0) return; /* EINTR: there is a next time */
  double now_ms = clock_ms();
  for (size_t i = scan->pending_count; i-- > 0;) {
    struct pending pending = scan->pending[i];
    bool is_over = scan->limit_ms > 0 && now_ms - pending.begun_ms >= scan->limit_ms;
    if (!polled[i].revents && !is_over) continue;
    int error = 0;
    socklen_t length = sizeof error;
    if (polled[i].revents && getsockopt(polled[i].fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    if (!polled[i].revents || error) {
      close(polled[i].fd);
      pending.fd = -1;
    }
    answer(scan, &pending, error, now_ms);
    scan->pending[i] = scan->pending[--scan->pending_count];
  }
}

static bool read_text(const struct arguments *arguments, uint32_t index, char *text, size_t *length) {
  napi_env env = arguments->env;
  napi_value element;
  return ok(env, napi_get_element(env, arguments->values[1], index, &element)) &&
         ok(env, napi_get_value_string_utf8(env, element, text, ADDRESS_BYTES, length));
}

static bool read_scan(const struct arguments *arguments, struct scan *scan, const double *numbers) {
  uint8_t *pending, *answers;
  size_t pending_length, answer_length;
  if (!get_bytes(arguments, 2, &pending, &pending_length)) return false;
  if (!get_bytes(arguments, 3, &answers, &answer_length)) return false;
  scan->limit_ms = numbers[0];
  scan->pending_count = (size_t)numbers[2];
  scan->pending = (struct pending *)(void *)pending;
  scan->answers = (struct scan_answer *)(void *)answers;
  return true;
}

/*
 * scan([limitMs, sliceMs, pendingCount, port, key, …], addresses, pending, answers) → how many answers there are.
 *
 * Begins a connect to each address, and waits until there is an answer to any, at most `sliceMs`. `pending` has the
 * rows `fd, key, begunMs`, is carried from call to call, and has room for all; a caller that gives up closes its
 * descriptors. `answers` gets the rows `key, errno, durationMs, fd`.
 */
static napi_value scan_ports(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct scan scan = {.spare_fd = -1};
  char text[ADDRESS_BYTES];
  uint8_t *bytes;
  size_t length;
  uint32_t count;
  if (!get_arguments(env, info, &arguments) || !get_bytes(&arguments, 0, &bytes, &length)) return NULL;
  if (!ok(env, napi_get_array_length(env, arguments.values[1], &count))) return NULL;
  double *numbers = (double *)(void *)bytes;
  if (length < NUMBERS + BEGIN_FIELDS * (size_t)count) return throw_errno(env, "scan", EINVAL);
  if (!read_scan(&arguments, &scan, numbers)) return NULL;
  if (scan.pending_count + count > MOST) return throw_errno(env, "scan", E2BIG);
  double until_ms = clock_ms() + numbers[1];
  for (uint32_t i = 0; i < count; i++) {
    if (!read_text(&arguments, i, text, &length)) break;
    begin(&scan, text, length, numbers + NUMBERS + BEGIN_FIELDS * i);
  }
  if (scan.spare_fd >= 0) close(scan.spare_fd);
  look(&scan, scan.answer_count > 0 ? 0 : until_ms);
  numbers[2] = (double)scan.pending_count;
  return make_number(env, (double)scan.answer_count);
}

bool add_scan_functions(const struct exports *exports) {
  return add_function(exports, "scan", scan_ports);
}
