/*
 * The flow engine: one thread with epoll that carries bytes between descriptors.
 *
 *     JavaScript thread                          engine thread
 *     engine_start/stop/finish ──▶ commands ──▶ loop.c ──▶ flow.c (what next) ──▶ carry_bytes.c (how)
 *     the listener             ◀── endings  ◀──   │                                 │
 *                                                 └── descriptor.c (descriptors) ◀─────────┘
 *
 * Nothing in the engine thread touches V8. A flow's memory is made by the JavaScript thread, worked on by the
 * engine thread from START to its ending, and freed by the engine thread at RELEASE, when no command can name it
 * any more. A flow that has ended is in none of the loop's lists and is named by none of its ends (end_flow), so
 * RELEASE, which JavaScript can only send once it has heard of the ending, may come at any time after.
 *
 * What JavaScript passes is duplicated before the call returns, but for the sockets of node:net: of those the descriptor
 * itself is lent. JavaScript reads and writes nothing then, and closes it only when it has heard of the ending of each flow
 * that it was lent to (holdDescriptor() in splice-end.ts). An end leaves epoll before its descriptor is closed: a number
 * that is used again is never taken for what it was before.
 */
#ifndef TNET_ENGINE_H
#define TNET_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  NAP_NS = 100 * 1000,             /* how long the thread waits for more, see nap() */
  NAP_TURNS_MOST = 4,              /* more flows than this wait for each other anyway */
  NOTIFY_REST_MS = 10,               /* between two words to JavaScript of what a lane's connections do */
  NOTIFIED_MOST = 16 * 1024,           /* connections that JavaScript has not heard the last of: then lanes take no more */
  CUT_MS = 500,                    /* what was read of a stream that is cut has so long: a process that ends is gone in a second */
  BUFFER_BYTES = 128 * 1024,       /* the read/write buffer that all flows share */
  PIPE_BYTES = 1024 * 1024,        /* the size asked for a pooled pipe */
  PIPE_LEAST_BYTES = 64 * 1024,    /* what the system gives a user over its pipe quota is not worth splicing through */
  TURN_BYTES = 1024 * 1024,        /* a flow that is always ready lets the others run after this much */
  TURN_STEPS = 64,                 /* … or after this many reads */
  WINDOW_BYTES = 256 * 1024,       /* how much traffic is looked at to choose between copying and splicing */
  BULK_READ_BYTES = 16 * 1024,     /* reads this big on average are bulk: splice */
  SMALL_READ_BYTES = 4 * 1024      /* reads this small on average are not: copy */
};

enum kind { KIND_SOCKET, KIND_PIPE, KIND_FILE, KIND_DEVICE, KIND_TERMINAL, KIND_OTHER };
enum side { SIDE_NONE, SIDE_SOURCE, SIDE_SINK };
enum step { STEP_MOVED, STEP_WAIT, STEP_OVER };

/* What an event of epoll is about: the first member of what its data points at. */
enum watch { WATCH_END, WATCH_LISTENER };

struct connection;
struct flow;
struct lane;
struct loop;

/* What JavaScript says of a descriptor. Of a lent one it is known to be a stream socket that does not block. */
enum lent { NOT_LENT, LENT_UNIX, LENT_INET };

/* A descriptor that the engine owns, or that it is lent. The two flows of a relay share the ends of their sockets. */
struct end {
  enum watch watch;
  int fd;
  enum kind kind;
  bool polled;    /* epoll can watch it; if not it is always ready, as regular files are */
  bool splices;   /* splice and sendfile cannot block on it */
  bool short_is_all; /* a read that is not filled has emptied it */
  bool may_nowait; /* RWF_NOWAIT has not been refused yet */
  bool can_read;  /* false from EAGAIN to the next event */
  bool can_write;
  bool hung;      /* an end or an error has been seen: a short read does not mean that nothing follows */
  bool urgent;    /* has had TCP urgent data, which stops splice but not recv */
  int error;      /* what broke it: the kernel tells it once, and two flows want to know */
  bool shared;    /* in the table: other flows may find it by its inode, or by its number if it is lent */
  bool lent;      /* JavaScript closes it */
  struct connection *connection; /* of an express lane, which closes the end itself */
  uint64_t device, inode;
  struct flow *reader, *writer;
  struct end *next; /* in the table of shared ends, then in the graveyard */
};

struct pipe_pair {
  int read_fd, write_fd;
  struct pipe_pair *next;
};

/* Called once, in the engine's thread, when a flow is over and has released its ends. */
typedef void (*flow_over)(struct loop *loop, struct flow *flow);

struct flow {
  /* Set before START, constant after it. */
  double id;
  int source_fd, sink_fd; /* lent, or duplicates that its ends take over; a source of -1 ends after what is held */
  enum lent source_lent, sink_lent;
  bool half_close; /* a lane takes it back where a close is next */
  unsigned last_words_ms; /* how long the sink may take for what the source gave before it broke; 0: as long as it likes */
  flow_over over;
  void *owner;

  /* Written by the engine thread, read by the JavaScript thread at any time: __atomic only. */
  uint64_t bytes_read, bytes_sent, active_ns;
  int blocked;

  /* The engine thread's own. */
  struct end *source, *sink;
  unsigned char *held; /* read and not yet taken: the shared buffer is the next flow's */
  size_t held_from, held_to;
  struct pipe_pair *pipe;
  size_t piped;
  size_t window_bytes, window_reads;
  unsigned turn_reads; /* in its last turn */
  bool bulk;   /* the last window's reads were big */
  bool copies; /* splicing this pair is not possible */
  int stuck;   /* splices in a row that made no headway though both ends say they are ready */
  bool begun, source_ended, ended;
  bool cut; /* the source had not ended: what was read is to arrive, and then the flow ends as stopped */
  struct flow *next, **link;            /* in the queue; the link is NULL when it is in none */
  uint64_t until_ns;                    /* 0: no limit */
  struct flow *next_limited, **limited_link;

  /* The ending: set by the engine thread before the flow is reported. */
  int error; /* errno, 0 for an orderly end, ECANCELED when it was stopped */
  enum side side;
  bool handed_back; /* `held` has what was read and not taken: JavaScript goes on from there */
  int64_t opposite_read; /* what the opposite flow of the connection had read by then; -1: there was none any more */
  struct flow *next_ended;
};

enum { END_TABLE = 1024, POOL_MOST = 16 };

/* A closing connection's socket, which is reset when its peer has what was sent, or when its time is over. */
struct delayed_reset {
  int fd;
  uint64_t until_ns;
  struct delayed_reset *next;
};

struct loop {
  int epoll_fd, wake_fd;
  uint64_t now_ns;
  struct flow *queue, **queue_tail;
  struct flow *running; /* the rest of the queue that takes its turns in this round */
  struct flow *limited; /* flows with a time limit */
  unsigned turns, sparse_turns; /* of this round: those that carried anything, and those that could do with more */
  struct end *table[END_TABLE];
  struct end *graveyard; /* events already fetched may still point at these */
  struct pipe_pair *pool;
  size_t pooled;
  struct lane *lanes;
  uint16_t dialled_ports[65536]; /* how many connections of lanes to their targets come from each port of ours */
  struct delayed_reset *delayed_resets;
  uint64_t tick_ns; /* when lanes, delayed resets and limited flows are looked at again */
  uint64_t told_ns; /* when JavaScript was last told of anything */
  bool has_notifications;    /* that JavaScript is not told of yet */
  struct engine *engine;
  unsigned char buffer[BUFFER_BYTES];
};

/* descriptor.c */
enum kind describe_descriptor(int fd);
struct end *open_end(struct loop *loop, struct flow *flow, enum side side);
struct end *open_lane_end(struct loop *loop, int fd, int family, struct connection *connection);
void leave_end(struct loop *loop, struct end *end, struct flow *flow);
int take_fd(struct loop *loop, struct end *end);
void close_end(struct loop *loop, struct end *end);
void end_event(struct loop *loop, struct end *end, uint32_t events);
void bury_ends(struct loop *loop);
bool end_is_ready(const struct end *end, short events);
bool has_arrived(int fd);
bool has_left(int fd);

/* nonblocking_io.c: never block, whatever the descriptor's flags are */
ssize_t read_end(struct end *end, void *buffer, size_t length);
ssize_t write_end(struct end *end, const void *buffer, size_t length);

/* pipe_pool.c */
struct pipe_pair *take_pipe(struct loop *loop);
void give_pipe(struct loop *loop, struct pipe_pair *pair, bool empty);
void empty_pool(struct loop *loop);

/* carry_bytes.c */
enum step deliver(struct loop *loop, struct flow *flow);
enum step fetch(struct loop *loop, struct flow *flow);
bool take_back_piped(struct flow *flow);

/* lane.c, for the loop */
void lane_event(struct loop *loop, struct lane *lane);
void connection_event(struct loop *loop, struct end *end);
int lane_timeout_ms(const struct loop *loop);
void tick_lanes(struct loop *loop);
void destroy_lanes(struct loop *loop);

/* flow.c */
void begin_flow(struct loop *loop, struct flow *flow);
void begin_lane_flow(struct loop *loop, struct flow *flow, struct end *source, struct end *sink);
void turn_flow(struct loop *loop, struct flow *flow);
void finish_flow(struct loop *loop, struct flow *flow);
void hand_back_flow(struct loop *loop, struct flow *flow);
void cut_flow(struct loop *loop, struct flow *flow);
void stop_flow(struct loop *loop, struct flow *flow);
void expire_flow(struct loop *loop, struct flow *flow);
void look_at_arrival(struct loop *loop, struct flow *flow);
void free_flow(struct flow *flow);
void discard_flow(struct flow *flow);
void note_read(struct loop *loop, struct flow *flow, size_t bytes);
void note_sent(struct loop *loop, struct flow *flow, size_t bytes);
enum step break_flow(struct flow *flow, enum side side, int error);

/* delivery_limit.c */
void limit_reader(struct loop *loop, const struct end *end);
void limit_flow(struct loop *loop, struct flow *flow, unsigned limit_ms);
void free_of_limit(struct flow *flow);
void tick_limits(struct loop *loop);

/* loop.c */
struct loop *create_loop(struct engine *engine, int *error);
void destroy_loop(struct loop *loop);
void *run_loop(void *loop);
void wake_loop(struct loop *loop);
void queue_flow(struct loop *loop, struct flow *flow);
void unqueue_flow(struct loop *loop, struct flow *flow);

#endif
