/* One connection of an express lane: dial the target, run both flows, close both sides. */
#include "lane.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void end_connection(struct loop *loop, struct connection *connection);

/* A Unix socket has no such option. */
void set_no_delay(int fd) {
  int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Until when a side has time for what came before it is reset: its flow has used up a part of it. */
static uint64_t last_words_until(const struct loop *loop, const struct connection *connection) {
  uint64_t up = connection->up.until_ns, down = connection->down.until_ns;
  if (up || down) return up > down ? up : down;
  return loop->now_ns + (uint64_t)connection->lane->last_words_ms * 1000000u;
}

/* Closes a socket in order, or passes the other side's reset on. */
static void close_side(struct loop *loop, const struct connection *connection, struct end *end, bool reset) {
  if (!end || end->fd < 0) return;
  if (reset) reset_socket(loop, take_fd(loop, end), last_words_until(loop, connection));
  else close_end(loop, end);
}

static struct flow *other_flow(struct connection *connection, const struct flow *flow) {
  return flow == &connection->up ? &connection->down : &connection->up;
}

/* The other flow of a broken connection: what the broken side sent before is still on its way, and ends by itself. */
static void stop_other(struct loop *loop, struct connection *connection, const struct flow *broken) {
  if (broken->side != SIDE_SINK) stop_flow(loop, other_flow(connection, broken));
}

static void end_when_over(struct loop *loop, struct connection *connection) {
  if (connection->up.ended && connection->down.ended) end_connection(loop, connection);
}

/* A client that closes with the target's last bytes unread resets (tcp(7) sends no FIN then). Nothing is cut where the
   target had ended in order, all of that was given to the client's system, and the client has sent nothing since. Not the
   other way round: a client that has ended its side waits for an answer. */
static bool client_has_left(const struct connection *connection) {
  const struct flow *up = &connection->up, *down = &connection->down;
  if (connection->lane->echoes || up->error != ECONNRESET || up->side != SIDE_SOURCE || !down->ended || down->error) return false;
  if (up->bytes_read != connection->up_bytes_before || up->bytes_sent != up->bytes_read) return false;
  return has_left(connection->client->fd);
}

static void flow_is_over(struct loop *loop, struct flow *flow) {
  struct connection *connection = flow->owner;
  bool is_up = flow == &connection->up;
  if (!is_up && !flow->error) connection->up_bytes_before = connection->up.bytes_read;
  if (is_up && client_has_left(connection)) flow->error = EPIPE; /* as a writer gets it after an orderly end */
  if (flow->error && !connection->error) {
    connection->error = flow->error;
    if (flow->side != SIDE_NONE) connection->broken = is_up == (flow->side == SIDE_SOURCE) ? SIDE_SOURCE : SIDE_SINK;
  }
  if (flow->error && !flow->cut) stop_other(loop, connection, flow); /* of two that are cut, each has its own last bytes */
  else if (flow->source->hung) other_flow(connection, flow)->half_close = false; /* close says it */
  end_when_over(loop, connection);
}

static void unlink_connection(struct connection *connection) {
  struct lane *lane = connection->lane;
  if (connection->previous) connection->previous->next = connection->next;
  else lane->connections = connection->next;
  if (connection->next) connection->next->previous = connection->previous;
  lane->live--;
}

/* Nothing about it is to be looked at from time to time any more. */
void leave_clock(struct connection *connection) {
  if (connection->timed) connection->lane->dialing--;
  connection->timed = false;
}

static void note_target(struct loop *loop, struct connection *connection) {
  connection->is_dialled = connection->target_local.family != 0;
  if (connection->is_dialled) loop->dialled_ports[connection->target_local.port]++;
}

/* Its connection to the target is about to be closed or given away. */
void leave_target(struct loop *loop, struct connection *connection) {
  if (connection->is_dialled) loop->dialled_ports[connection->target_local.port]--;
  connection->is_dialled = false;
}

static void end_connection(struct loop *loop, struct connection *connection) {
  if (connection->ended) return;
  struct lane *lane = connection->lane;
  /* An echo's limits cut nothing short: what the client has sent has come back. */
  bool broke = lane->echoes ? connection->error == ECANCELED : connection->error != 0;
  connection->ended = true;
  connection->ended_ns = loop->now_ns;
  leave_clock(connection);
  leave_target(loop, connection);
  close_side(loop, connection, connection->client, broke && connection->broken != SIDE_SOURCE);
  close_side(loop, connection, connection->target, broke && connection->broken != SIDE_SINK);
  unlink_connection(connection);
  tell_connection(loop, connection, NOTIFY_ENDED);
  if (!lane->closing) arm_lane(loop, lane, true);
  else close_lane(loop, lane);
}

static void prepare_flow(struct connection *connection, struct flow *flow) {
  flow->source_fd = flow->sink_fd = -1;
  flow->half_close = true;
  flow->last_words_ms = connection->lane->last_words_ms;
  flow->over = flow_is_over;
  flow->owner = connection;
}

static void join(struct loop *loop, struct connection *connection) {
  connection->dialing = false;
  leave_clock(connection);
  bool is_told = send_head(connection);
  connection->error = 0; /* an earlier address's */
  connection->joined_ns = loop->now_ns;
  connection->up.active_ns = connection->down.active_ns = loop->now_ns;
  tell_connection(loop, connection, NOTIFY_CONNECTED);
  begin_lane_flow(loop, &connection->up, connection->client, connection->target);
  begin_lane_flow(loop, &connection->down, connection->target, connection->client);
  if (!is_told) stop_connection(loop, connection, ECANCELED);
}

/* 0: connected or under way. Otherwise errno, and nothing is left open. */
static int dial(struct loop *loop, struct connection *connection, const struct target *target) {
  int family = target->address.ss_family;
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  if (connection->lane->no_delay && family != AF_UNIX) set_no_delay(fd);
  bool connected = connect(fd, (const struct sockaddr *)&target->address, target->length) == 0;
  int error = connected || errno == EINPROGRESS ? 0 : errno;
  if (!error) {
    ask_name(&connection->target_local, fd);
    note_target(loop, connection); /* before it can be a client here, as leads_back() needs it */
    /* Only now: an unconnected socket would say at once that it is hung up. */
    connection->target = open_lane_end(loop, fd, family, connection);
    if (!connection->target) error = errno ? errno : ENOMEM;
  }
  if (error) {
    leave_target(loop, connection);
    close(fd);
  } else if (connected) join(loop, connection);
  return error;
}

static bool may_starve(const struct loop *loop, const struct connection *connection) {
  uint64_t limit_ns = connection->lane->connect_ns;
  return limit_ns == 0 || loop->now_ns - connection->asked_ns < limit_ns;
}

/* Notes that the address did not take it; the next one is to be tried. */
void note_refusal(struct connection *connection, int error) {
  if (!connection->error) connection->error = error;
  connection->refusals[connection->attempt++] = (uint8_t)error; /* Linux' go to 133 */
}

static size_t target_count(const struct connection *connection) {
  return connection->own && connection->own->has_target ? 1 : connection->lane->target_count;
}

static const struct target *find_target(const struct connection *connection, size_t index) {
  const struct answer *own = connection->own;
  return own && own->has_target ? &own->target : &connection->lane->targets[index];
}

/* Tries its addresses from `connection->attempt` on; without one that takes it, the client is
   reset, and the first address's error is told; one that JavaScript has chosen, it may have another for. Without a free descriptor, or a place in a Unix socket's backlog, it waits
   for one: the client has been accepted, and another one will leave. */
void dial_next(struct loop *loop, struct connection *connection) {
  size_t count = target_count(connection);
  while (connection->attempt < count) {
    int error = dial(loop, connection, find_target(connection, connection->attempt));
    if (!error) return;
    /* EAGAIN: the backlog of a Unix socket is full, so there is a server. */
    bool may_pass = error == EMFILE || error == ENFILE || error == EAGAIN;
    connection->starved = may_pass && may_starve(loop, connection);
    if (connection->starved) return;
    note_refusal(connection, error);
    if (connection->attempt < count) tell_connection(loop, connection, NOTIFY_REFUSED);
  }
  if (connection->own && connection->own->has_target) {
    tell_connection(loop, connection, NOTIFY_REFUSED);
    return;
  }
  connection->broken = SIDE_SINK;
  connection->up.ended = connection->down.ended = true;
  end_connection(loop, connection);
}

/* Whether both ends are one socket: a port of this machine on which nothing listens was given out as the source. It
   is then to be closed hard: a FIN to itself would leave the port in TIME_WAIT. */
static bool met_itself(const struct connection *connection, int fd) {
  struct name target;
  fill_name(&target, &find_target(connection, connection->attempt)->address);
  if (target.port != connection->target_local.port) return false;
  struct sockaddr_storage local = {0}, peer = {0};
  socklen_t local_length = sizeof local, peer_length = sizeof peer;
  if (getsockname(fd, (struct sockaddr *)&local, &local_length) != 0) return false;
  if (getpeername(fd, (struct sockaddr *)&peer, &peer_length) != 0) return false;
  if (local.ss_family == AF_UNIX || local_length != peer_length || memcmp(&local, &peer, local_length) != 0) return false;
  struct linger hard = {.l_onoff = 1, .l_linger = 0};
  (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  return true;
}

/* A target that took the connection, spoke and broke it off before its connect was noticed: the system tells of the break
   only (EPIPE: behind an orderly end), but still gives what had come. Without a word it is as good as a refusal: another
   address may be tried. */
static bool has_last_words(const struct end *target) {
  int unread = 0;
  if (target->error != ECONNRESET && target->error != EPIPE) return false;
  return ioctl(target->fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* An event on one of its sockets. Only a connect under way is not a flow's business. */
void connection_event(struct loop *loop, struct end *end) {
  struct connection *connection = end->connection;
  if (!connection->dialing) return;
  if (connection->hearing) hear_client(loop, connection);
  if (end != connection->target) return;
  int error = !end->error && met_itself(connection, end->fd) ? ECONNREFUSED : end->error;
  if (!error || has_last_words(end)) {
    if (connection->taken) hand_over_target(loop, connection);
    else join(loop, connection);
    return;
  }
  if (connection->taken) {
    refuse_taken(loop, connection, error);
    return;
  }
  note_refusal(connection, error);
  leave_target(loop, connection);
  close_end(loop, end);
  connection->target = NULL;
  if (connection->attempt < target_count(connection)) tell_connection(loop, connection, NOTIFY_REFUSED);
  dial_next(loop, connection);
}

/* There may be a descriptor for it now. */
void feed_connection(struct loop *loop, struct connection *connection) {
  if (!connection->starved || connection->ended) return;
  connection->starved = false;
  dial_next(loop, connection);
}

static bool is_name_of(const struct target *target, const struct name *name) {
  struct name own;
  fill_name(&own, &target->address);
  return is_same_name(&own, name);
}

/* Whether a connection of the lane goes from one address to the other. */
static bool has_dialled(const struct lane *lane, const struct name *from, const struct name *to) {
  for (const struct connection *connection = lane->connections; connection; connection = connection->next) {
    if (!connection->target || !is_same_name(&connection->target_local, from)) continue;
    if (is_name_of(find_target(connection, connection->attempt), to)) return true;
  }
  return false;
}

/* Whether a client is one of our own connections to a target, which a rule of this machine has led back here. Hardly any comes
   from a port that one of those has too; and where nothing is redirected, the next call says so. */
static bool leads_back(const struct loop *loop, int fd, const struct name *peer) {
  struct sockaddr_storage destination;
  struct name original;
  if (peer->family == 0 || loop->dialled_ports[peer->port] == 0 || !ask_original(&destination, fd)) return false;
  fill_name(&original, &destination);
  for (const struct lane *lane = loop->lanes; lane; lane = lane->next) {
    bool is_target = lane->asks; /* its targets come from JavaScript */
    for (size_t i = 0; i < lane->target_count; i++) is_target = is_target || is_name_of(&lane->targets[i], &original);
    if (is_target && has_dialled(lane, peer, &original)) return true;
  }
  return false;
}

static void begin_echo(struct loop *loop, struct connection *connection) {
  connection->dialing = false;
  leave_clock(connection);
  connection->joined_ns = connection->up.active_ns = loop->now_ns;
  connection->down.ended = true;
  connection->up.half_close = false; /* close says it */
  begin_lane_flow(loop, &connection->up, connection->client, connection->client);
}

/* Takes over `fd`. */
void accept_connection(struct loop *loop, struct lane *lane, int fd, const struct sockaddr_storage *peer) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (!connection) {
    close(fd);
    return;
  }
  connection->lane = lane;
  connection->taken_client = connection->taken_target = -1;
  fill_name(&connection->peer, peer);
  if (peer->ss_family == AF_UNIX) ask_credentials(&connection->peer, fd);
  if (!is_welcome(lane, &connection->peer)) {
    reset_socket(loop, fd, 0);
    tell_connection(loop, connection, NOTIFY_DENIED); /* and never counted */
    return;
  }
  connection->client = open_lane_end(loop, fd, peer->ss_family, connection);
  if (!connection->client) {
    free(connection);
    close(fd);
    return;
  }
  connection->local = lane->local;
  if (lane->is_wildcard) ask_name(&connection->local, fd);
  connection->dialing = connection->timed = true;
  lane->dialing++;
  connection->begun_ns = connection->asked_ns = loop->now_ns;
  prepare_flow(connection, &connection->up);
  prepare_flow(connection, &connection->down);
  connection->next = lane->connections;
  if (connection->next) connection->next->previous = connection;
  lane->connections = connection;
  lane->live++;
  tell_connection(loop, connection, NOTIFY_ACCEPTED);
  if (lane->echoes) begin_echo(loop, connection);
  else if (leads_back(loop, fd, &connection->peer)) stop_connection(loop, connection, ELOOP);
  else if (lane->hears) connection->hearing = true; /* what it has said already is an event to come */
  else if (lane->asks) ask_javascript(loop, connection);
  else dial_next(loop, connection);
}

/* When it has ended, and JavaScript knows. */
void free_connection(struct connection *connection) {
  if (connection->taken_client >= 0) close(connection->taken_client);
  if (connection->taken_target >= 0) close(connection->taken_target);
  free(connection->own);
  free(connection->answer);
  free(connection->said);
  free(connection);
}

/* Ends it now, with resets to both sides. */
void stop_connection(struct loop *loop, struct connection *connection, int error) {
  if (connection->ended) return;
  bool has_broken = connection->error || connection->up.error || connection->down.error;
  if (connection->dialing || !has_broken) { /* a refusal of an earlier address, or nothing */
    connection->error = error;
    connection->broken = SIDE_NONE;
  }
  if (connection->dialing) {
    connection->up.ended = connection->down.ended = true;
    end_connection(loop, connection);
    return;
  }
  stop_flow(loop, &connection->up);
  stop_flow(loop, &connection->down);
}

/* Ends it from our side: what has been read is delivered, and both sides are reset. */
void cut_connection(struct loop *loop, struct connection *connection) {
  if (connection->ended) return;
  if (connection->dialing) {
    stop_connection(loop, connection, ECANCELED);
    return;
  }
  cut_flow(loop, &connection->up);
  cut_flow(loop, &connection->down);
}
