/* The addon's table of functions. */
#include "addon.h"
#include "js_value.h"

bool add_function(napi_env env, napi_value exports, const char *name, napi_callback callback, struct engine *engine) {
  napi_value function;
  return ok(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, engine, &function)) &&
         ok(env, napi_set_named_property(env, exports, name, function));
}

NAPI_MODULE_INIT() {
  struct engine *engine = create_engine(env);
  if (!engine) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  if (!ok(env, napi_add_env_cleanup_hook(env, destroy_engine, engine))) return NULL;
  if (!add_flow_functions(env, exports, engine) || !add_lane_functions(env, exports, engine)) return NULL;
  if (!add_option_functions(env, exports) || !add_process_functions(env, exports)) return NULL;
  return exports;
}
