#ifndef TNET_ADDON_H
#define TNET_ADDON_H

#include "engine_api.h"

bool add_function(napi_env env, napi_value exports, const char *name, napi_callback callback, struct engine *engine);
bool add_flow_functions(napi_env env, napi_value exports, struct engine *engine);
bool add_lane_functions(napi_env env, napi_value exports, struct engine *engine);
void hand_out_lane_news(napi_env env, struct engine *engine);
bool add_option_functions(napi_env env, napi_value exports);
bool add_process_functions(napi_env env, napi_value exports);

#endif
