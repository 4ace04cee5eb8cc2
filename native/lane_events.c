/* What is reported to JavaScript about lanes: lists linked through the objects themselves, so that a notification
   needs no memory. */
#include "engine_api.h"
#include "lane.h"

void tell_connection(struct loop *loop, struct connection *connection, enum notification notification) {
  struct engine *engine = loop->engine;
  pthread_mutex_lock(&engine->lock);
  if (connection->notifications == 0) {
    connection->next_notified = NULL;
    *engine->notified_connections_tail = connection;
    engine->notified_connections_tail = &connection->next_notified;
    engine->untaken++;
  }
  connection->notifications |= (unsigned)notification;
  connection->refused = connection->attempt;
  bool is_question = notification == NOTIFY_REFUSED && connection->own;
  if (is_question || (notification & (NOTIFY_ASKED | NOTIFY_TAKEN | NOTIFY_DIALLED))) engine->is_asked = true;
  pthread_mutex_unlock(&engine->lock);
}

/* Whether so much is waiting to be heard that more of it would only cost memory: JavaScript is busy, or stuck. */
bool is_unheard(struct loop *loop) {
  struct engine *engine = loop->engine;
  pthread_mutex_lock(&engine->lock);
  bool unheard = engine->untaken >= NOTIFIED_MOST;
  pthread_mutex_unlock(&engine->lock);
  return unheard;
}

void tell_lane(struct loop *loop, struct lane *lane) {
  struct engine *engine = loop->engine;
  pthread_mutex_lock(&engine->lock);
  lane->told_error = lane->accept_error;
  lane->told_closed = lane->closing;
  lane->told_over = lane->over;
  if (!lane->is_notified) {
    lane->is_notified = true;
    lane->next_notified = engine->notified_lanes;
    engine->notified_lanes = lane;
  }
  pthread_mutex_unlock(&engine->lock);
}

/* Call with the lock held. What is to be told of each is in `handed`, and they are linked by `next_handed`. */
struct connection *take_notified_connections(struct engine *engine) {
  struct connection *connections = engine->notified_connections;
  for (struct connection *one = connections; one; one = one->next_notified) {
    one->handed = one->notifications;
    one->handed_refused = one->refused;
    one->next_handed = one->next_notified;
    one->notifications = 0;
  }
  engine->notified_connections = NULL;
  engine->notified_connections_tail = &engine->notified_connections;
  engine->untaken = 0;
  engine->is_asked = false;
  return connections;
}

struct lane *take_notified_lanes(struct engine *engine) {
  struct lane *lanes = engine->notified_lanes;
  engine->notified_lanes = NULL;
  return lanes;
}
