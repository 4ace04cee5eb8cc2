/*
 * An express lane: a proxy's listener whose connections are accepted, connected and relayed in the engine's thread.
 *
 *     listener ─accept─▶ client ◀═ up, down ═▶ target ─connect─▶ one of the lane's addresses, in order
 *
 * FIN is carried by the flows' half-closes, a reset by a reset. JavaScript hears of connections in batches.
 *
 * A lane that asks leaves it to JavaScript which target a client gets, and what that target is sent first (lane_answer.c):
 *
 *     accepted ─▶ (its first bytes) ─▶ asked ─answer─▶ dialled ─▶ joined
 *                                        └────take────▶ JavaScript's: the client, and the connect that is under way
 *
 * A lane that echoes has one flow for each client, from it to itself.
 */
#ifndef TNET_LANE_H
#define TNET_LANE_H

#include "engine.h"

#include <pthread.h>
#include <sys/socket.h>

enum notification { NOTIFY_ACCEPTED = 1, NOTIFY_CONNECTED = 2, NOTIFY_ENDED = 4, NOTIFY_REFUSED = 16, NOTIFY_DENIED = 32, NOTIFY_CLOSED = 64, NOTIFY_ASKED = 128, NOTIFY_TAKEN = 256, NOTIFY_DIALLED = 512 };
enum { TARGETS_MOST = 4, FIRST_BYTES_MOST = 1024 };

/* An address of a socket, as much of it as is reported. */
struct name {
  uint8_t family; /* 4, 6, or 0 for a Unix socket */
  uint16_t port;
  uint32_t words[4]; /* host byte order; of a Unix client its process, user and group, if the system tells */
  uint32_t scope;
};

/* A CIDR block of an access list. */
struct block {
  bool allows;
  uint8_t family, bits;
  uint32_t words[4];
};

struct target {
  socklen_t length;
  struct sockaddr_storage address;
};

/* What JavaScript has decided for a connection. */
struct answer {
  bool gives;            /* JavaScript takes it */
  bool has_target;       /* else it gets the lane's own */
  struct target target;
  size_t skipped;        /* so many of the client's first bytes are no one's but ours */
  size_t head_length;    /* the target is sent these before all else */
  unsigned char head[];
};

/* A client's first bytes, which are still to be read. */
struct first_bytes {
  size_t length;
  unsigned char bytes[];
};

struct lane {
  enum watch watch;
  /* Set before OPEN_LANE. */
  double id;
  bool no_delay;
  uint32_t most;         /* connections at once, 0 for no limit: more wait in the backlog */
  int last_free_fd;      /* accepting pauses when this descriptor or a higher one was given out; 0 for no limit */
  uint64_t idle_ns;      /* 0 for no limit */
  uint64_t life_ns;      /* from the connection to the target on; 0 for no limit */
  uint64_t connect_ns;   /* for all addresses together; 0 for the system's own */
  unsigned last_words_ms; /* what came before a reset has so long to reach the other side */
  size_t target_count;
  struct target targets[TARGETS_MOST];
  bool echoes;           /* its clients get back what they send: there is no target, and `up` is all */
  bool asks;             /* JavaScript decides for each client */
  bool hears;            /* … once the client has said something */
  bool has_allow, has_deny;
  struct block *blocks;
  size_t block_count;
  /* The engine thread's. */
  bool armed, closing, over;
  struct name local; /* the listener's */
  bool is_wildcard;  /* … is one, and each client has its own */
  bool short_of_fds;
  int accept_error; /* why a listener that has connections waiting takes none: EMFILE and its kind */
  struct connection *connections;
  uint32_t live, dialing; /* dialing: those that only the clock may end */
  struct lane *next;
  /* A duplicate that the lane owns, -1 once it is closed. Under its own lock: closing it is the JavaScript thread's, so
     that the address is free and no client comes in any more when the call returns. */
  pthread_mutex_t listen_lock;
  int listen_fd;
  /* Under the engine's lock. */
  bool is_notified, told_closed, told_over;
  int told_error;
  struct lane *next_notified;
};

struct connection {
  struct lane *lane;
  double id; /* the JavaScript thread's: given when it first hears of it */
  struct flow up, down;
  struct end *client, *target;
  struct name peer, local, target_local;
  size_t attempt; /* the target's index */
  uint8_t refusals[TARGETS_MOST]; /* each earlier target's errno */
  uint64_t begun_ns, asked_ns, joined_ns, ended_ns;
  bool dialing, starved, ended; /* starved: it waits for a descriptor for its target */
  bool timed; /* counts among the lane's `dialing` */
  bool is_dialled; /* counts among the loop's `dialled_ports` */
  bool hearing; /* its client has not said anything yet */
  struct answer *own; /* JavaScript's, where it was asked */
  uint64_t up_bytes_before; /* what the client had sent when the target ended in order */
  struct connection *next, *previous;
  /* Under the engine's lock until NOTIFY_ENDED is out, constant after it. */
  unsigned notifications;
  size_t refused; /* how many refusals are there to be told */
  int error;
  enum side broken; /* SIDE_SOURCE: the client; SIDE_SINK: the target */
  struct connection *next_notified;
  /* The JavaScript thread's: what it is about to be told. */
  unsigned handed;
  size_t handed_refused;
  struct connection *next_handed;
  /* Belongs to the thread that works on it: a question and its answer go back and forth. */
  struct first_bytes *said;
  struct answer *answer; /* not obeyed yet */
  bool taken; /* by JavaScript. Its descriptors until it has them: */
  int taken_client, taken_target;
};

/* lane.c */
void begin_lane(struct loop *loop, struct lane *lane);
void close_lane(struct loop *loop, struct lane *lane);
void stop_lane(struct loop *loop, struct lane *lane);
struct lane *create_lane(void);
void free_lane(struct lane *lane);
void shut_lane(const struct loop *loop, struct lane *lane); /* from any thread */
void arm_lane(struct loop *loop, struct lane *lane, bool on);

/* connection.c */
void set_no_delay(int fd);
void accept_connection(struct loop *loop, struct lane *lane, int fd, const struct sockaddr_storage *peer);
void stop_connection(struct loop *loop, struct connection *connection, int error);
void cut_connection(struct loop *loop, struct connection *connection);
void feed_connection(struct loop *loop, struct connection *connection);
void dial_next(struct loop *loop, struct connection *connection);
void free_connection(struct connection *connection);
void leave_clock(struct connection *connection);
void leave_target(struct loop *loop, struct connection *connection);
void note_refusal(struct connection *connection, int error);

/* lane_answer.c */
void ask_javascript(struct loop *loop, struct connection *connection);
void hear_client(struct loop *loop, struct connection *connection);
void obey_answer(struct loop *loop, struct connection *connection);
bool send_head(const struct connection *connection);
void take_connection(struct loop *loop, struct connection *connection);
void hand_over_target(struct loop *loop, struct connection *connection);
void refuse_taken(struct loop *loop, struct connection *connection, int error);

/* addon_lane.c */
bool fill_target(struct target *target, char *text, size_t length, int port);

/* access_list.c */
bool is_welcome(const struct lane *lane, const struct name *client);

/* socket_name.c */
void fill_name(struct name *name, const struct sockaddr_storage *address);
void ask_name(struct name *name, int fd);
void ask_credentials(struct name *name, int fd);
bool ask_original(struct sockaddr_storage *address, int fd);
bool is_same_name(const struct name *one, const struct name *other);

/* delayed_reset.c */
void reset_socket(struct loop *loop, int fd, uint64_t until_ns);
void tick_delayed_resets(struct loop *loop);

/* lane_events.c */
void tell_connection(struct loop *loop, struct connection *connection, enum notification notification);
bool is_unheard(struct loop *loop);
void tell_lane(struct loop *loop, struct lane *lane);
struct connection *take_notified_connections(struct engine *engine);
struct lane *take_notified_lanes(struct engine *engine);

#endif
