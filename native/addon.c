/* The addon's table of functions. */
#include "addon.h"
#include "js_value.h"

bool add_function(const struct exports *exports, const char *name, napi_callback callback) {
  napi_env env = exports->env;
  napi_value function;
  return ok(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, exports->engine, &function)) &&
         ok(env, napi_set_named_property(env, exports->object, name, function));
}

NAPI_MODULE_INIT() {
  struct engine *engine = create_engine(env);
  if (!engine) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  if (!ok(env, napi_add_env_cleanup_hook(env, destroy_engine, engine))) return NULL;
  const struct exports all = {.env = env, .object = exports, .engine = engine};
  if (!add_flow_functions(&all) || !add_lane_functions(&all)) return NULL;
  if (!add_option_functions(&all) || !add_process_functions(&all)) return NULL;
  if (!add_scan_functions(&all)) return NULL;
  if (!add_pty_functions(&all) || !add_serial_functions(&all)) return NULL;
  if (!add_message_functions(&all) || !add_watch_functions(&all)) return NULL;
  return exports;
}
