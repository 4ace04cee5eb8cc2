/* The addon's functions for single descriptors: options by name, what the kernel knows of a connection, duplicates. */
#include "addon.h"
#include "option.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAME_BYTES = 32 };

static napi_value get_device(napi_env env, int fd) {
  char device[IFNAMSIZ] = "";
  socklen_t length = sizeof device;
  napi_value text;
  if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &length) != 0) return throw_errno(env, "getsockopt", errno);
  return ok(env, napi_create_string_utf8(env, device, strnlen(device, sizeof device), &text)) ? text : NULL;
}

/* getOption(fd, name) → a number, or a string for bindtodevice. */
static napi_value get_option(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char name[NAME_BYTES];
  int32_t fd;
  int value;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_text(&arguments, 1, name, sizeof name)) return NULL;
  if (strcmp(name, "bindtodevice") == 0) return get_device(env, fd);
  if (get_int_option(fd, name, &value) != 0) return throw_errno(env, "getsockopt", errno);
  return make_number(env, value);
}

/* setOption(fd, name, value) */
static napi_value set_option(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char name[NAME_BYTES], device[IFNAMSIZ];
  int32_t fd, value;
  int result;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_text(&arguments, 1, name, sizeof name)) return NULL;
  if (strcmp(name, "bindtodevice") == 0) {
    if (!get_text(&arguments, 2, device, sizeof device)) return NULL;
    result = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device));
  } else {
    if (!get_int(&arguments, 2, &value)) return NULL;
    result = set_int_option(fd, name, value);
  }
  return result == 0 ? NULL : throw_errno(env, "setsockopt", errno);
}

static napi_value make_object(napi_env env, size_t count, const char *const *names, const double *values) {
  napi_value object;
  if (!ok(env, napi_create_object(env, &object))) return NULL;
  for (size_t i = 0; i < count; i++) {
    napi_value number = make_number(env, values[i]);
    if (!number || !ok(env, napi_set_named_property(env, object, names[i], number))) return NULL;
  }
  return object;
}

/* tcpInfo(fd): RTTs in microseconds, windows in segments, times in milliseconds. Source: tcp(7), TCP_INFO. */
static napi_value tcp_info_of(napi_env env, napi_callback_info info) {
  static const char *const names[] = {"state",        "retransmits", "rttMicros",   "rttVarMicros",     "unacked",
                                      "lost",         "retransmitted", "congestionWindow", "sendMss", "receiveMss",
                                      "pathMtu",      "totalRetransmitted", "lastSentMs", "lastReceivedMs"};
  struct arguments arguments;
  struct tcp_info tcp = {0};
  socklen_t length = sizeof tcp;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &length) != 0) return throw_errno(env, "getsockopt", errno);
  const double values[] = {tcp.tcpi_state,          tcp.tcpi_retransmits, tcp.tcpi_rtt,     tcp.tcpi_rttvar,
                           tcp.tcpi_unacked,        tcp.tcpi_lost,        tcp.tcpi_retrans, tcp.tcpi_snd_cwnd,
                           tcp.tcpi_snd_mss,        tcp.tcpi_rcv_mss,     tcp.tcpi_pmtu,    tcp.tcpi_total_retrans,
                           tcp.tcpi_last_data_sent, tcp.tcpi_last_data_recv};
  return make_object(env, sizeof values / sizeof *values, names, values);
}

/* peerCredentials(fd) → {pid, uid, gid} of a Unix socket's other side. Source: unix(7), SO_PEERCRED. */
static napi_value peer_credentials(napi_env env, napi_callback_info info) {
  static const char *const names[] = {"pid", "uid", "gid"};
  struct arguments arguments;
  struct ucred peer;
  socklen_t length = sizeof peer;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return throw_errno(env, "getsockopt", errno);
  const double values[] = {peer.pid, peer.uid, peer.gid};
  return make_object(env, 3, names, values);
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

bool add_option_functions(napi_env env, napi_value exports) {
  return add_function(env, exports, "getOption", get_option, NULL) &&
         add_function(env, exports, "setOption", set_option, NULL) &&
         add_function(env, exports, "tcpInfo", tcp_info_of, NULL) &&
         add_function(env, exports, "peerCredentials", peer_credentials, NULL) &&
         add_function(env, exports, "unsentBytes", unsent_bytes, NULL) &&
         add_function(env, exports, "withheldBytes", withheld_bytes, NULL) &&
         add_function(env, exports, "unreadBytes", unread_bytes, NULL) &&
         add_function(env, exports, "duplicate", duplicate, NULL);
}
