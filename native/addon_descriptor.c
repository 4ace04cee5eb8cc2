/* The addon's functions for single descriptors: options by name, what the kernel knows of a connection, duplicates. */
#include "addon.h"
#include "socket_option.h"
#include "js_value.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAME_BYTES = 32 };

/* getOption(fd, name) → a number */
static napi_value get_option(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char name[NAME_BYTES];
  int32_t fd;
  int value;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_text(&arguments, 1, name, sizeof name)) return NULL;
  if (get_int_option(fd, name, &value) != 0) return throw_errno(env, "getsockopt", errno);
  return make_number(env, value);
}

/* setOption(fd, name, value) */
static napi_value set_option(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char name[NAME_BYTES];
  int32_t fd, value;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_text(&arguments, 1, name, sizeof name) || !get_int(&arguments, 2, &value)) return NULL;
  return set_int_option(fd, name, value) == 0 ? NULL : throw_errno(env, "setsockopt", errno);
}

/* tcpState(fd): as in /proc/net/tcp. Source: tcp(7), TCP_INFO. */
static napi_value tcp_state(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct tcp_info tcp = {0};
  socklen_t length = sizeof tcp;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &length) != 0) return throw_errno(env, "getsockopt", errno);
  return make_number(env, tcp.tcpi_state);
}

static napi_value queued_bytes(napi_env env, napi_callback_info info, unsigned long request) {
  struct arguments arguments;
  int32_t fd;
  int bytes = 0;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (ioctl(fd, request, &bytes) != 0) return throw_errno(env, "ioctl", errno);
  return make_number(env, bytes);
}

/* unsentBytes(fd): sent, and not yet acknowledged (TCP) or read (Unix) by the peer. Source: tcp(7), SIOCOUTQ. */
static napi_value unsent_bytes(napi_env env, napi_callback_info info) {
  return queued_bytes(env, info, SIOCOUTQ);
}

/* withheldBytes(fd): not sent yet at all, for which a TCP peer has no room. Source: tcp(7), SIOCOUTQNSD. */
static napi_value withheld_bytes(napi_env env, napi_callback_info info) {
  return queued_bytes(env, info, SIOCOUTQNSD);
}

/* unreadBytes(fd): received and not yet read. Source: tcp(7), SIOCINQ. */
static napi_value unread_bytes(napi_env env, napi_callback_info info) {
  return queued_bytes(env, info, SIOCINQ);
}

/* duplicate(fd) → a descriptor of the caller's own, close-on-exec. */
static napi_value duplicate(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return copy < 0 ? throw_errno(env, "dup", errno) : make_number(env, copy);
}

bool add_option_functions(const struct exports *exports) {
  return add_function(exports, "getOption", get_option) &&
         add_function(exports, "setOption", set_option) &&
         add_function(exports, "tcpState", tcp_state) &&
         add_function(exports, "unsentBytes", unsent_bytes) &&
         add_function(exports, "withheldBytes", withheld_bytes) &&
         add_function(exports, "unreadBytes", unread_bytes) &&
         add_function(exports, "duplicate", duplicate);
}
