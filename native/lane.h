/*
 * An express lane: a proxy's listener whose connections are accepted, connected and relayed in the engine's thread.
 *
 *     listener ─accept─▶ client ◀═ up, down ═▶ target ─connect─▶ one of the lane's addresses, in order
 *
 * FIN is carried by the flows' half-closes, a reset by a reset. JavaScript hears of connections in batches.
 */
#ifndef TNET_LANE_H
#define TNET_LANE_H

#include "engine.h"

#include <sys/socket.h>

enum news { NEWS_ACCEPTED = 1, NEWS_CONNECTED = 2, NEWS_ENDED = 4 };
enum { TARGETS_MOST = 16 };

struct target {
  socklen_t length;
  struct sockaddr_storage address;
};

struct lane {
  enum watch watch;
  /* Set before OPEN_LANE. */
  double id;
  int listen_fd; /* a duplicate that the lane owns */
  bool no_delay;
  uint32_t most;         /* connections at once, 0 for no limit: more wait in the backlog */
  uint64_t idle_ns;      /* 0 for no limit */
  uint64_t connect_ns;   /* for all addresses together; 0 for the system's own */
  size_t target_count;
  struct target targets[TARGETS_MOST];
  /* The engine thread's. */
  bool armed, closing, over;
  int accept_error; /* why a listener that has connections waiting takes none: EMFILE and its kind */
  struct connection *connections;
  uint32_t live;
  struct lane *next;
  /* Under the engine's lock. */
  bool has_news, told_over;
  int told_error;
  struct lane *next_news;
};

struct connection {
  struct lane *lane;
  double id; /* the JavaScript thread's: given when it first hears of it */
  struct flow up, down;
  struct end *client, *target;
  struct sockaddr_storage peer;
  size_t attempt; /* the target's index */
  uint64_t begun_ns;
  bool dialing, ended;
  struct connection *next, *previous;
  /* Under the engine's lock until NEWS_ENDED is out, constant after it. */
  unsigned news;
  int error;
  enum side broken; /* SIDE_SOURCE: the client; SIDE_SINK: the target */
  struct connection *next_news;
};

/* lane.c */
void begin_lane(struct loop *loop, struct lane *lane);
void close_lane(struct loop *loop, struct lane *lane);
void stop_lane(struct loop *loop, struct lane *lane);
void abandon_lane(struct lane *lane);
void arm_lane(struct loop *loop, struct lane *lane, bool on);

/* connection.c */
void accept_connection(struct loop *loop, struct lane *lane, int fd, const struct sockaddr_storage *peer);
void stop_connection(struct loop *loop, struct connection *connection, int error);

/* parting.c */
void reset_socket(struct loop *loop, int fd);
void tick_partings(struct loop *loop);

/* news.c */
void tell_connection(struct loop *loop, struct connection *connection, enum news news);
void tell_lane(struct loop *loop, struct lane *lane);
struct connection *take_connection_news(struct engine *engine);
struct lane *take_lane_news(struct engine *engine);

#endif
