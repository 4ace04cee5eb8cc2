/* Hands the notifications of express lanes to their listener, a batch of rows at a time. */
#include "addon.h"
#include "lane.h"
#include "js_value.h"

#include <string.h>

enum { NAME_FIELDS = 7, QUESTION_FIELDS = 3, ROW_FIELDS = 9 + TARGETS_MOST + 3 * NAME_FIELDS + QUESTION_FIELDS, NOTIFY_LANE = 8 };

/* [family, port, address in four words, scope] */
static double *write_name(double *fields, const struct name *name) {
  *fields++ = name->family;
  *fields++ = name->port;
  for (int i = 0; i < 4; i++) *fields++ = name->words[i];
  *fields++ = name->scope;
  return fields;
}

static int give_away(int *descriptor) {
  int fd = *descriptor;
  *descriptor = -1;
  return fd;
}

/* Where the rows of a batch go, and the bytes after them. */
struct batch {
  double *fields;
  uint8_t *bytes;
};

static double write_said(struct batch *batch, const struct first_bytes *said) {
  if (!said || !batch->bytes) return 0;
  memcpy(batch->bytes, said->bytes, said->length);
  batch->bytes += said->length;
  return (double)said->length;
}

/*
 * [what, lane, connection, errno, side, bytesUp, bytesDown (of an echo those that came), milliseconds, refused, errno of each refusal…, the client's
 * name, our name on its side, our name on the target's side, how many of its first bytes are among the batch's, the client's
 * descriptor, the target's]. A descriptor is then the reader's.
 */
static void write_connection(struct batch *batch, struct connection *connection) {
  double *fields = batch->fields;
  unsigned notifications = connection->handed;
  memset(fields, 0, ROW_FIELDS * sizeof *fields);
  fields[0] = notifications;
  fields[1] = connection->lane->id;
  fields[2] = connection->id;
  if (notifications & NOTIFY_ENDED) {
    fields[3] = connection->error;
    fields[4] = connection->broken;
    fields[5] = (double)connection->up.bytes_sent;
    fields[6] = (double)(connection->lane->echoes ? connection->up.bytes_read : connection->down.bytes_sent);
    fields[7] = (double)(connection->ended_ns - connection->begun_ns) / 1e6;
  }
  fields[8] = (double)connection->handed_refused;
  for (size_t i = 0; i < connection->handed_refused; i++) fields[9 + i] = connection->refusals[i];
  fields += 9 + TARGETS_MOST;
  if (notifications & NOTIFY_DENIED) write_name(fields, &connection->peer);
  if (notifications & NOTIFY_ACCEPTED) write_name(write_name(fields, &connection->peer), &connection->local);
  if (notifications & NOTIFY_CONNECTED) write_name(fields + 2 * NAME_FIELDS, &connection->target_local);
  fields += 3 * NAME_FIELDS;
  if (notifications & NOTIFY_ASKED) fields[0] = write_said(batch, connection->said);
  if (notifications & NOTIFY_TAKEN) fields[1] = give_away(&connection->taken_client);
  if (notifications & NOTIFY_DIALLED) fields[2] = give_away(&connection->taken_target);
}

static void hand_out_connection(struct engine *engine, struct connection *connection, struct batch *batch) {
  unsigned notifications = connection->handed;
  if (notifications & NOTIFY_ACCEPTED) connection->id = add_slot(engine, CONNECTION, connection);
  if (batch->fields) {
    write_connection(batch, connection);
    batch->fields += ROW_FIELDS;
  }
  if (!(notifications & (NOTIFY_ENDED | NOTIFY_DENIED))) return;
  if (notifications & NOTIFY_ENDED) drop_slot(engine, connection->id);
  (void)send_command(engine, RELEASE_CONNECTION, connection);
}

static void hand_out_lane(struct engine *engine, struct lane *lane, struct batch *batch) {
  double unread[ROW_FIELDS] = {0}, *fields = batch->fields ? batch->fields : unread;
  if (batch->fields) batch->fields += ROW_FIELDS;
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

static void call_listener(napi_env env, const struct engine *engine, const napi_value *rows_and_bytes) {
  napi_value global, listener;
  if (!ok(env, napi_get_global(env, &global))) return;
  if (!ok(env, napi_get_reference_value(env, engine->lane_listener, &listener))) return;
  (void)napi_call_function(env, global, listener, 2, rows_and_bytes, NULL);
}

/* What the clients have said that are asked for. */
static size_t count_said(const struct connection *connection) {
  size_t length = 0;
  for (; connection; connection = connection->next_handed) {
    if ((connection->handed & NOTIFY_ASKED) && connection->said) length += connection->said->length;
  }
  return length;
}

/* Lanes after connections: a lane is released with its last one. */
void hand_out_lane_notifications(napi_env env, struct engine *engine) {
  if (!engine->lane_listener) return;
  pthread_mutex_lock(&engine->lock);
  struct connection *connection = take_notified_connections(engine);
  struct lane *lane = take_notified_lanes(engine);
  pthread_mutex_unlock(&engine->lock);
  size_t count = 0;
  void *fields, *bytes;
  for (const struct connection *one = connection; one; one = one->next_handed) count++;
  for (const struct lane *one = lane; one; one = one->next_notified) count++;
  if (count == 0) return;
  napi_value given[] = {make_array(env, napi_float64_array, count * ROW_FIELDS, sizeof(double), &fields),
                        make_array(env, napi_uint8_array, count_said(connection), 1, &bytes)};
  struct batch batch = {fields, bytes};
  while (connection) {
    struct connection *next = connection->next_handed;
    hand_out_connection(engine, connection, &batch);
    connection = next;
  }
  while (lane) {
    struct lane *next = lane->next_notified;
    hand_out_lane(engine, lane, &batch);
    lane = next;
  }
  if (given[0] && given[1]) call_listener(env, engine, given);
}
