#ifndef TNET_ADDON_H
#define TNET_ADDON_H

#include "engine_api.h"

/* What functions are added to; each gets the engine as its data. */
struct exports {
  napi_env env;
  napi_value object;
  struct engine *engine;
};

bool add_function(const struct exports *exports, const char *name, napi_callback callback);
bool add_flow_functions(const struct exports *exports);
bool add_lane_functions(const struct exports *exports);
void hand_out_lane_notifications(napi_env env, struct engine *engine);
bool add_option_functions(const struct exports *exports);
bool add_process_functions(const struct exports *exports);
bool add_pty_functions(const struct exports *exports);
bool add_scan_functions(const struct exports *exports);
bool add_serial_functions(const struct exports *exports);
bool add_message_functions(const struct exports *exports);
bool add_watch_functions(const struct exports *exports);

#endif
