/* Hands the notifications of express lanes to their listener, a batch of rows at a time. */
#include "addon.h"
#include "lane.h"
#include "js_value.h"

#include <string.h>

enum { NAME_FIELDS = 7, ROW_FIELDS = 9 + TARGETS_MOST + 3 * NAME_FIELDS, NOTIFY_LANE = 8 };

/* [family, port, address in four words, scope] */
static double *write_name(double *fields, const struct name *name) {
  *fields++ = name->family;
  *fields++ = name->port;
  for (int i = 0; i < 4; i++) *fields++ = name->words[i];
  *fields++ = name->scope;
  return fields;
}

/*
 * [what, lane, connection, errno, side, bytesUp, bytesDown, milliseconds, refused, errno of each refusal…, the client's
 * name, our name on its side, our name on the target's side]
 */
static void write_connection(double *fields, const struct connection *connection, unsigned notifications, size_t refused) {
  memset(fields, 0, ROW_FIELDS * sizeof *fields);
  fields[0] = notifications;
  fields[1] = connection->lane->id;
  fields[2] = connection->id;
  if (notifications & NOTIFY_ENDED) {
    fields[3] = connection->error;
    fields[4] = connection->broken;
    fields[5] = (double)connection->up.bytes_sent;
    fields[6] = (double)connection->down.bytes_sent;
    fields[7] = (double)(connection->ended_ns - connection->begun_ns) / 1e6;
  }
  fields[8] = (double)refused;
  for (size_t i = 0; i < refused; i++) fields[9 + i] = connection->refusals[i];
  fields += 9 + TARGETS_MOST;
  if (notifications & NOTIFY_DENIED) write_name(fields, &connection->peer);
  if (notifications & NOTIFY_ACCEPTED) write_name(write_name(fields, &connection->peer), &connection->local);
  if (notifications & NOTIFY_CONNECTED) write_name(fields + 2 * NAME_FIELDS, &connection->target_local);
}

static void hand_out_connection(struct engine *engine, struct connection *connection, double *fields) {
  pthread_mutex_lock(&engine->lock);
  unsigned notifications = connection->notifications;
  size_t refused = connection->refused;
  connection->notifications = 0;
  pthread_mutex_unlock(&engine->lock);
  if (notifications & NOTIFY_ACCEPTED) connection->id = add_slot(engine, CONNECTION, connection);
  write_connection(fields, connection, notifications, refused);
  if (!(notifications & (NOTIFY_ENDED | NOTIFY_DENIED))) return;
  if (notifications & NOTIFY_ENDED) drop_slot(engine, connection->id);
  (void)send_command(engine, RELEASE_CONNECTION, connection);
}

static void hand_out_lane(struct engine *engine, struct lane *lane, double *fields) {
  memset(fields, 0, ROW_FIELDS * sizeof *fields);
  pthread_mutex_lock(&engine->lock);
  bool closed = lane->told_closed, over = lane->told_over;
  fields[3] = lane->told_error;
  lane->is_notified = false;
  pthread_mutex_unlock(&engine->lock);
  fields[0] = NOTIFY_LANE | (closed ? NOTIFY_CLOSED : 0) | (over ? NOTIFY_ENDED : 0);
  fields[1] = lane->id;
  if (!over) return;
  drop_slot(engine, lane->id);
  count_down(engine, 1);
  (void)send_command(engine, RELEASE_LANE, lane);
}

static napi_value make_rows(napi_env env, size_t count, double **fields) {
  napi_value buffer, array;
  void *data = NULL;
  size_t length = count * ROW_FIELDS;
  if (!ok(env, napi_create_arraybuffer(env, length * sizeof **fields, &data, &buffer))) return NULL;
  if (!ok(env, napi_create_typedarray(env, napi_float64_array, length, buffer, 0, &array))) return NULL;
  *fields = data;
  return array;
}

static void call_listener(napi_env env, const struct engine *engine, napi_value rows) {
  napi_value global, listener;
  if (!ok(env, napi_get_global(env, &global))) return;
  if (!ok(env, napi_get_reference_value(env, engine->lane_listener, &listener))) return;
  (void)napi_call_function(env, global, listener, 1, &rows, NULL);
}

/* Lanes after connections: a lane is released with its last one. */
void hand_out_lane_notifications(napi_env env, struct engine *engine) {
  if (!engine->lane_listener) return;
  pthread_mutex_lock(&engine->lock);
  struct connection *connection = take_notified_connections(engine);
  struct lane *lane = take_notified_lanes(engine);
  pthread_mutex_unlock(&engine->lock);
  size_t count = 0;
  double *fields = NULL, unread[ROW_FIELDS];
  for (const struct connection *one = connection; one; one = one->next_notified) count++;
  for (const struct lane *one = lane; one; one = one->next_notified) count++;
  if (count == 0) return;
  napi_value rows = make_rows(env, count, &fields);
  while (connection) {
    struct connection *next = connection->next_notified;
    hand_out_connection(engine, connection, fields ? fields : unread);
    if (fields) fields += ROW_FIELDS;
    connection = next;
  }
  while (lane) {
    struct lane *next = lane->next_notified;
    hand_out_lane(engine, lane, fields ? fields : unread);
    if (fields) fields += ROW_FIELDS;
    lane = next;
  }
  if (rows) call_listener(env, engine, rows);
}
