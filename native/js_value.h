/* Arguments and results of the addon's functions. Arguments are checked in TypeScript; here a status is an exception. */
#ifndef TNET_JS_VALUE_H
#define TNET_JS_VALUE_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

enum { ARGUMENTS_MOST = 6 };

struct arguments {
  napi_env env;
  size_t count;
  napi_value values[ARGUMENTS_MOST];
  void *data;
};

bool ok(napi_env env, napi_status status); /* false with a JavaScript exception pending */
bool get_arguments(napi_env env, napi_callback_info info, struct arguments *arguments);
bool get_int(const struct arguments *arguments, size_t index, int32_t *value);
bool get_number(const struct arguments *arguments, size_t index, double *value);
bool get_bytes(const struct arguments *arguments, size_t index, uint8_t **bytes, size_t *length);
bool get_text(const struct arguments *arguments, size_t index, char *text, size_t room);
napi_value make_number(napi_env env, double value);
/* A new typed array of elements of `size` bytes, which `data` points at; NULL when there is no memory. */
napi_value make_array(napi_env env, napi_typedarray_type type, size_t length, size_t size, void **data);
napi_value throw_errno(napi_env env, const char *call, int error); /* an Error with `errno` and `syscall`; NULL */

#endif
