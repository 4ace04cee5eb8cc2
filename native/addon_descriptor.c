/* The addon's functions for single descriptors: options by name, what the kernel knows of a connection, duplicates. */
#include "addon.h"
#include "js_value.h"
#include "lane.h"
#include "socket_option.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
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

/* originalDestination(fd) → `10.0.0.1:80` or `[fd00::1]:80`, where an accepted connection was going before a rule of this
   machine (DNAT, REDIRECT) had it come here; undefined where the system knows of none. Without a rule it may be our address. */
static napi_value original_destination(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct sockaddr_storage destination;
  char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + sizeof "[]:65535"];
  int32_t fd;
  napi_value result;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!ask_original(&destination, fd)) return NULL;
  bool is_ipv4 = destination.ss_family == AF_INET;
  const void *address = is_ipv4 ? (const void *)&((const struct sockaddr_in *)&destination)->sin_addr
                                : (const void *)&((const struct sockaddr_in6 *)&destination)->sin6_addr;
  if (!inet_ntop(destination.ss_family, address, host, sizeof host)) return NULL;
  unsigned port = ntohs(((const struct sockaddr_in *)&destination)->sin_port); /* at the same place in both */
  snprintf(text, sizeof text, is_ipv4 ? "%s:%u" : "[%s]:%u", host, port);
  return ok(env, napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result)) ? result : NULL;
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
         add_function(exports, "originalDestination", original_destination) &&
         add_function(exports, "duplicate", duplicate);
}
