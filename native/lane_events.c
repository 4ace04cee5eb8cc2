/* What JavaScript is told of lanes: lists linked through the things themselves, so that news needs no memory. */
#include "engine_api.h"
#include "lane.h"

void tell_connection(struct loop *loop, struct connection *connection, enum news news) {
  struct engine *engine = loop->engine;
  pthread_mutex_lock(&engine->lock);
  if (connection->news == 0) {
    connection->next_news = NULL;
    *engine->connection_news_tail = connection;
    engine->connection_news_tail = &connection->next_news;
    engine->untaken++;
  }
  connection->news |= (unsigned)news;
  connection->refused = connection->attempt;
  pthread_mutex_unlock(&engine->lock);
}

/* Whether so much is waiting to be heard that more of it would only cost memory: JavaScript is busy, or stuck. */
bool is_unheard(struct loop *loop) {
  struct engine *engine = loop->engine;
  pthread_mutex_lock(&engine->lock);
  bool unheard = engine->untaken >= NEWS_MOST;
  pthread_mutex_unlock(&engine->lock);
  return unheard;
}

void tell_lane(struct loop *loop, struct lane *lane) {
  struct engine *engine = loop->engine;
  pthread_mutex_lock(&engine->lock);
  lane->told_error = lane->accept_error;
  lane->told_closed = lane->closing;
  lane->told_over = lane->over;
  if (!lane->has_news) {
    lane->has_news = true;
    lane->next_news = engine->lane_news;
    engine->lane_news = lane;
  }
  pthread_mutex_unlock(&engine->lock);
}

/* Call with the lock held; the news of each is cleared one by one. */
struct connection *take_connection_news(struct engine *engine) {
  struct connection *news = engine->connection_news;
  engine->connection_news = NULL;
  engine->connection_news_tail = &engine->connection_news;
  engine->untaken = 0;
  return news;
}

struct lane *take_lane_news(struct engine *engine) {
  struct lane *news = engine->lane_news;
  engine->lane_news = NULL;
  return news;
}
