/* Watches descriptors that libuv has no kind of stream for, in the event loop of JavaScript itself. The declarations are
   libuv's, whose headers are not here; they are part of its ABI, and node exports them. Source: libuv, uv.h. */
#include "addon.h"
#include "js_value.h"

#include <errno.h>
#include <stdlib.h>

struct uv_poll_s;
enum { UV_POLL = 8, EVERY_EVENT = 3 };
extern size_t uv_handle_size(int type);
extern void *uv_handle_get_data(const void *handle);
extern void uv_handle_set_data(void *handle, void *data);
extern int uv_poll_init(struct uv_loop_s *loop, struct uv_poll_s *poll, int fd);
extern int uv_poll_start(struct uv_poll_s *poll, int events, void (*ready)(struct uv_poll_s *poll, int status, int events));
extern int uv_poll_stop(struct uv_poll_s *poll);
extern void uv_close(void *handle, void (*closed)(void *handle));

struct watcher {
  napi_env env;
  napi_ref listener;
  napi_async_context context;
  struct uv_poll_s *poll;
};

static void call_listener(struct watcher *watcher, int events) {
  napi_env env = watcher->env;
  napi_handle_scope scope;
  napi_value listener, global, argument, error;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, watcher->listener, &listener) == napi_ok && napi_get_global(env, &global) == napi_ok &&
      napi_create_int32(env, events, &argument) == napi_ok) {
    napi_status status = napi_make_callback(env, watcher->context, global, listener, 1, &argument, NULL);
    if (status == napi_pending_exception && napi_get_and_clear_last_exception(env, &error) == napi_ok)
      napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

/* After an error libuv has stopped watching: no events say so, and the next call on the descriptor says what it was. */
static void on_ready(struct uv_poll_s *poll, int status, int events) {
  call_listener(uv_handle_get_data(poll), status < 0 ? 0 : events);
}

static void free_poll(void *handle) {
  free(handle);
}

static void release(struct watcher *watcher) {
  uv_close(watcher->poll, free_poll);
  napi_async_destroy(watcher->env, watcher->context);
  napi_delete_reference(watcher->env, watcher->listener);
  free(watcher);
}

/* What JavaScript has not closed when its environment ends. */
static void close_at_exit(void *data) {
  release(data);
}

/* watch(fd, listener) → a watch for setWatch and closeWatch. `listener` gets the events: 1 readable, 2 writable; 0 after an
   error, when it watches nothing any more. */
static napi_value watch_descriptor(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct uv_loop_s *loop;
  napi_value name, result;
  int32_t fd;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &fd)) return NULL;
  if (!ok(env, napi_get_uv_event_loop(env, &loop))) return NULL;
  struct watcher *watcher = calloc(1, sizeof *watcher);
  struct uv_poll_s *poll = calloc(1, uv_handle_size(UV_POLL));
  if (!watcher || !poll) {
    free(watcher);
    free(poll);
    return throw_errno(env, "uv_poll_init", ENOMEM);
  }
  int error = uv_poll_init(loop, poll, fd);
  if (error != 0) {
    free(watcher);
    free(poll);
    return throw_errno(env, "uv_poll_init", -error);
  }
  *watcher = (struct watcher){.env = env, .poll = poll};
  uv_handle_set_data(poll, watcher);
  if (!ok(env, napi_create_string_utf8(env, "TNET_WATCH", NAPI_AUTO_LENGTH, &name)) ||
      !ok(env, napi_create_reference(env, arguments.values[1], 1, &watcher->listener)) ||
      !ok(env, napi_async_init(env, NULL, name, &watcher->context)) ||
      !ok(env, napi_add_env_cleanup_hook(env, close_at_exit, watcher)) ||
      !ok(env, napi_create_external(env, watcher, NULL, NULL, &result)))
    return NULL;
  return result;
}

static struct watcher *get_watch(const struct arguments *arguments) {
  void *watcher;
  return ok(arguments->env, napi_get_value_external(arguments->env, arguments->values[0], &watcher)) ? watcher : NULL;
}

/* setWatch(watch, events): what it waits for from now on; 0 for nothing. */
static napi_value set_watch(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int32_t events;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 1, &events)) return NULL;
  struct watcher *watcher = get_watch(&arguments);
  if (!watcher) return NULL;
  int error = events == 0 ? uv_poll_stop(watcher->poll) : uv_poll_start(watcher->poll, events & EVERY_EVENT, on_ready);
  return error == 0 ? NULL : throw_errno(env, "uv_poll_start", -error);
}

/* closeWatch(watch): before its descriptor is closed; the watch is not to be used again. */
static napi_value close_watch(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  if (!get_arguments(env, info, &arguments)) return NULL;
  struct watcher *watcher = get_watch(&arguments);
  if (!watcher) return NULL;
  napi_remove_env_cleanup_hook(env, close_at_exit, watcher);
  release(watcher);
  return NULL;
}

bool add_watch_functions(const struct exports *exports) {
  return add_function(exports, "watch", watch_descriptor) && add_function(exports, "setWatch", set_watch) &&
         add_function(exports, "closeWatch", close_watch);
}
