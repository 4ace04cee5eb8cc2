/* The addon's functions for Unix sockets that keep messages apart, and for VSOCK: those that Node cannot open. */
#include "addon.h"
#include "js_value.h"

#include <sys/socket.h> /* older kernel headers want it before vm_sockets.h */

#include <errno.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>

enum { DATAGRAM, PACKET, VSOCK, STREAM };

/* openSocket(kind) → a descriptor, for 0 Unix datagrams, 1 Unix packets, 2 a VSOCK stream, 3 a Unix stream. */
static napi_value open_socket(napi_env env, napi_callback_info info) {
  static const int families[] = {AF_UNIX, AF_UNIX, AF_VSOCK, AF_UNIX};
  static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM, SOCK_STREAM};
  struct arguments arguments;
  int32_t kind;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &kind)) return NULL;
  int fd = socket(families[kind], types[kind] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return fd < 0 ? throw_errno(env, "socket", errno) : make_number(env, fd);
}

/* The bytes of a name: a path, or an abstract name with its leading NUL. Without any, the system chooses a name. */
static bool get_name(const struct arguments *arguments, size_t index, struct sockaddr_un *address, socklen_t *length) {
  uint8_t *bytes;
  size_t count;
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (!get_bytes(arguments, index, &bytes, &count)) return false;
  if (count > sizeof address->sun_path) count = sizeof address->sun_path;
  if (count > 0) memcpy(address->sun_path, bytes, count);
  bool is_path = count > 0 && bytes[0] != 0;
  bool has_room = count < sizeof address->sun_path;
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count + (is_path && has_room ? 1 : 0));
  return true;
}

typedef int name_call(int fd, const struct sockaddr *address, socklen_t length);

static napi_value call_with_name(napi_env env, napi_callback_info info, name_call *call, const char *called) {
  struct arguments arguments;
  struct sockaddr_un address;
  socklen_t length;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_name(&arguments, 1, &address, &length)) return NULL;
  return call(fd, (struct sockaddr *)&address, length) == 0 ? NULL : throw_errno(env, called, errno);
}

/* bindUnix(fd, name) */
static napi_value bind_unix(napi_env env, napi_callback_info info) {
  return call_with_name(env, info, bind, "bind");
}

/* connectUnix(fd, name) */
static napi_value connect_unix(napi_env env, napi_callback_info info) {
  return call_with_name(env, info, connect, "connect");
}

static napi_value call_with_port(napi_env env, napi_callback_info info, name_call *call, const char *called) {
  struct arguments arguments;
  int32_t fd;
  double cid, port;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_number(&arguments, 1, &cid) || !get_number(&arguments, 2, &port)) return NULL;
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = (unsigned)cid, .svm_port = (unsigned)port};
  bool is_done = call(fd, (struct sockaddr *)&address, sizeof address) == 0;
  return is_done || errno == EINPROGRESS ? make_number(env, is_done) : throw_errno(env, called, errno);
}

/* bindVsock(fd, cid, port) */
static napi_value bind_vsock(napi_env env, napi_callback_info info) {
  return call_with_port(env, info, bind, "bind");
}

/* connectVsock(fd, cid, port) → 1, or 0 when it has only begun. */
static napi_value connect_vsock(napi_env env, napi_callback_info info) {
  return call_with_port(env, info, connect, "connect");
}

static napi_value vsock_name(napi_env env, napi_callback_info info, int (*call)(int, struct sockaddr *, socklen_t *)) {
  struct arguments arguments;
  struct sockaddr_vm address = {0};
  socklen_t length = sizeof address;
  napi_value result;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (call(fd, (struct sockaddr *)&address, &length) != 0) return throw_errno(env, "getsockname", errno);
  if (!ok(env, napi_create_array_with_length(env, 2, &result))) return NULL;
  if (!ok(env, napi_set_element(env, result, 0, make_number(env, address.svm_cid)))) return NULL;
  return ok(env, napi_set_element(env, result, 1, make_number(env, address.svm_port))) ? result : NULL;
}

/* vsockLocal(fd), vsockRemote(fd) → [cid, port] */
static napi_value vsock_local(napi_env env, napi_callback_info info) {
  return vsock_name(env, info, getsockname);
}

static napi_value vsock_remote(napi_env env, napi_callback_info info) {
  return vsock_name(env, info, getpeername);
}

/* takeError(fd): throws what a connect in progress, or the connection, has failed with. */
static napi_value take_error(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int32_t fd;
  int error = 0;
  socklen_t length = sizeof error;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  return error == 0 ? NULL : throw_errno(env, "connect", error);
}

/* endSending(fd): the peer sees the end. */
static napi_value end_sending(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  return shutdown(fd, SHUT_WR) == 0 ? NULL : throw_errno(env, "shutdown", errno);
}

/* tellsSenders(fd): from now on each message comes with the credentials of its sender. */
static napi_value tells_senders(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int32_t fd;
  int on = 1;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 ? NULL : throw_errno(env, "setsockopt", errno);
}

/* isGone(fd) → whether the peer has closed its socket altogether. */
static napi_value is_gone(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  struct pollfd state = {.fd = fd};
  return make_number(env, poll(&state, 1, 0) > 0 && (state.revents & POLLHUP) != 0);
}

/* sendMessage(fd, bytes, name | undefined) → 1, or 0 when there is no room for it now. */
static napi_value send_message(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct sockaddr_un address;
  socklen_t length = 0;
  uint8_t *bytes;
  size_t count;
  int32_t fd;
  napi_valuetype type;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!get_bytes(&arguments, 1, &bytes, &count) || !ok(env, napi_typeof(env, arguments.values[2], &type))) return NULL;
  bool has_name = type != napi_undefined;
  if (has_name && !get_name(&arguments, 2, &address, &length)) return NULL;
  ssize_t sent;
  do {
    sent = sendto(fd, count > 0 ? (const void *)bytes : "", count, MSG_DONTWAIT | MSG_NOSIGNAL,
                  has_name ? (struct sockaddr *)&address : NULL, length);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN) return throw_errno(env, "sendmsg", errno);
  return make_number(env, sent >= 0);
}

static bool set_element(napi_env env, napi_value array, uint32_t index, napi_value value) {
  return value && ok(env, napi_set_element(env, array, index, value));
}

static napi_value make_credentials(napi_env env, napi_value array, uint32_t from, const struct ucred *sender) {
  if (!set_element(env, array, from, make_number(env, sender->pid))) return NULL;
  if (!set_element(env, array, from + 1, make_number(env, sender->uid))) return NULL;
  return set_element(env, array, from + 2, make_number(env, sender->gid)) ? array : NULL;
}

/* peerCredentials(fd) → [pid, uid, gid] of the process that connected, or that listened. Source: unix(7), SO_PEERCRED. */
static napi_value peer_credentials(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct ucred peer = {0};
  socklen_t length = sizeof peer;
  napi_value result;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return throw_errno(env, "getsockopt", errno);
  return ok(env, napi_create_array_with_length(env, 3, &result)) ? make_credentials(env, result, 0, &peer) : NULL;
}

/* The control data has room for credentials and nothing else, so that descriptors that come with a message are closed by the
   system. Source: unix(7), SCM_RIGHTS. */
struct received {
  struct sockaddr_un name;
  struct ucred sender;
  size_t name_length;
  bool has_sender;
  ssize_t count;
};

static void receive(int fd, void *bytes, size_t room, struct received *received) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(struct ucred))];
  } control;
  struct iovec part = {.iov_base = bytes, .iov_len = room};
  struct msghdr message = {
      .msg_name = &received->name,
      .msg_namelen = sizeof received->name,
      .msg_iov = &part,
      .msg_iovlen = 1,
      .msg_control = &control,
      .msg_controllen = sizeof control,
  };
  do {
    received->count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received->count < 0 && errno == EINTR);
  if (received->count < 0) return;
  const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
    memcpy(&received->sender, CMSG_DATA(header), sizeof received->sender);
    received->has_sender = true;
  }
  size_t before = offsetof(struct sockaddr_un, sun_path);
  if (message.msg_namelen <= before) return;
  received->name_length = message.msg_namelen - before;
  bool is_path = received->name.sun_path[0] != 0;
  if (is_path) received->name_length = strnlen(received->name.sun_path, received->name_length);
}

static napi_value make_message(napi_env env, const void *bytes, const struct received *received) {
  napi_value result, value;
  if (!ok(env, napi_create_array_with_length(env, 5, &result))) return NULL;
  if (!ok(env, napi_create_buffer_copy(env, (size_t)received->count, bytes, NULL, &value))) return NULL;
  if (!set_element(env, result, 0, value)) return NULL;
  if (received->name_length > 0) {
    if (!ok(env, napi_create_buffer_copy(env, received->name_length, received->name.sun_path, NULL, &value))) return NULL;
  } else if (!ok(env, napi_get_undefined(env, &value))) return NULL;
  return set_element(env, result, 1, value) ? make_credentials(env, result, 2, &received->sender) : NULL;
}

/* receiveMessage(fd) → [bytes, name | undefined, pid, uid, gid] of the next message, whole whatever its size; null at the end
   of a connection's messages, which the system tells from a message without bytes only by its credentials; undefined when
   there is none yet. */
static napi_value receive_message(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct received received = {0};
  char small[4096];
  int32_t fd;
  int waiting = 0;
  napi_value result = NULL;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (ioctl(fd, SIOCINQ, &waiting) != 0) return throw_errno(env, "ioctl", errno);
  /* Of packets that is the sum of all that wait, so that the next one fits in any case. */
  size_t room = (size_t)waiting > sizeof small ? (size_t)waiting : sizeof small;
  char *bytes = room > sizeof small ? malloc(room) : small;
  if (!bytes) return throw_errno(env, "recvmsg", ENOMEM);
  receive(fd, bytes, room, &received);
  int error = errno;
  if (received.count < 0) {
    result = error == EAGAIN ? NULL : throw_errno(env, "recvmsg", error);
  } else if (received.count == 0 && !received.has_sender) {
    ok(env, napi_get_null(env, &result));
  } else {
    result = make_message(env, bytes, &received);
  }
  if (bytes != small) free(bytes);
  return result;
}

bool add_message_functions(const struct exports *exports) {
  static const struct {
    const char *name;
    napi_callback callback;
  } functions[] = {
      {"openSocket", open_socket},
      {"bindUnix", bind_unix},
      {"connectUnix", connect_unix},
      {"bindVsock", bind_vsock},
      {"connectVsock", connect_vsock},
      {"vsockLocal", vsock_local},
      {"vsockRemote", vsock_remote},
      {"takeError", take_error},
      {"endSending", end_sending},
      {"tellsSenders", tells_senders},
      {"isGone", is_gone},
      {"sendMessage", send_message},
      {"receiveMessage", receive_message},
      {"peerCredentials", peer_credentials},
  };
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    if (!add_function(exports, functions[i].name, functions[i].callback)) return false;
  }
  return true;
}
