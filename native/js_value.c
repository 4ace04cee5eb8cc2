#include "js_value.h"

#include <stdio.h>
#include <string.h>

bool ok(napi_env env, napi_status status) {
  bool pending = false;
  if (status == napi_ok) return true;
  const napi_extended_error_info *info = NULL;
  const char *message = "Node-API call failed";
  if (napi_get_last_error_info(env, &info) == napi_ok && info && info->error_message) message = info->error_message;
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) napi_throw_error(env, NULL, message);
  return false;
}

bool get_arguments(napi_env env, napi_callback_info info, struct arguments *arguments) {
  arguments->env = env;
  arguments->count = ARGUMENTS_MOST;
  return ok(env, napi_get_cb_info(env, info, &arguments->count, arguments->values, NULL, &arguments->data));
}

bool get_int(const struct arguments *arguments, size_t index, int32_t *value) {
  return ok(arguments->env, napi_get_value_int32(arguments->env, arguments->values[index], value));
}

bool get_number(const struct arguments *arguments, size_t index, double *value) {
  return ok(arguments->env, napi_get_value_double(arguments->env, arguments->values[index], value));
}

/* Any typed array; anything else counts as no bytes. The memory is JavaScript's and stays valid until the call
   returns. */
bool get_bytes(const struct arguments *arguments, size_t index, uint8_t **bytes, size_t *length) {
  napi_env env = arguments->env;
  napi_typedarray_type type;
  bool is_array = false;
  void *data = NULL;
  *bytes = NULL;
  *length = 0;
  if (!ok(env, napi_is_typedarray(env, arguments->values[index], &is_array))) return false;
  if (!is_array) return true;
  if (!ok(env, napi_get_typedarray_info(env, arguments->values[index], &type, length, &data, NULL, NULL))) return false;
  *bytes = data;
  return true;
}

bool get_text(const struct arguments *arguments, size_t index, char *text, size_t room) {
  size_t length = 0;
  return ok(arguments->env, napi_get_value_string_utf8(arguments->env, arguments->values[index], text, room, &length));
}

napi_value make_number(napi_env env, double value) {
  napi_value result = NULL;
  return ok(env, napi_create_double(env, value, &result)) ? result : NULL;
}

static bool set_property(napi_env env, napi_value object, const char *name, napi_value value) {
  return value && ok(env, napi_set_named_property(env, object, name, value));
}

napi_value make_array(napi_env env, napi_typedarray_type type, size_t length, size_t size, void **data) {
  napi_value buffer, array;
  *data = NULL;
  if (!ok(env, napi_create_arraybuffer(env, length * size, data, &buffer))) return NULL;
  if (!ok(env, napi_create_typedarray(env, type, length, buffer, 0, &array))) return NULL;
  return array;
}

napi_value throw_errno(napi_env env, const char *call, int error) {
  char message[96];
  napi_value text, name, object;
  snprintf(message, sizeof message, "%s: %s", call, strerror(error));
  if (!ok(env, napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text))) return NULL;
  if (!ok(env, napi_create_string_utf8(env, call, NAPI_AUTO_LENGTH, &name))) return NULL;
  if (!ok(env, napi_create_error(env, NULL, text, &object))) return NULL;
  if (!set_property(env, object, "errno", make_number(env, -error))) return NULL;
  if (!set_property(env, object, "syscall", name)) return NULL;
  ok(env, napi_throw(env, object));
  return NULL;
}
