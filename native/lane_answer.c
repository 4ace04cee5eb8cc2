/* What JavaScript decides for a lane's connections: asked with the client's first bytes, answered with a target, or taken. */
#include "lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SILENT_MS = 100 }; /* a client that has said nothing for so long is JavaScript's to wait for */

void ask_javascript(struct loop *loop, struct connection *connection) {
  connection->hearing = false;
  connection->asked_ns = loop->now_ns;
  tell_connection(loop, connection, NOTIFY_ASKED);
}

/* Only looks: JavaScript may take the connection as it is, and says how many of the bytes are to be dropped. */
static ssize_t look_at_first_bytes(struct connection *connection) {
  unsigned char bytes[FIRST_BYTES_MOST];
  ssize_t got = recv(connection->client->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
  if (got <= 0) return got;
  connection->said = malloc(sizeof *connection->said + (size_t)got);
  if (!connection->said) return 0;
  connection->said->length = (size_t)got;
  memcpy(connection->said->bytes, bytes, (size_t)got);
  return got;
}

/* Asks once the client has said something or left, or has been silent for a while. */
void hear_client(struct loop *loop, struct connection *connection) {
  if (!connection->hearing || connection->ended) return;
  bool is_silent = look_at_first_bytes(connection) < 0 && errno == EAGAIN;
  if (is_silent && loop->now_ns - connection->begun_ns < SILENT_MS * 1000000u) return;
  ask_javascript(loop, connection);
}

static bool skip_first_bytes(struct loop *loop, const struct connection *connection, size_t length) {
  return length == 0 || recv(connection->client->fd, loop->buffer, length, MSG_DONTWAIT) == (ssize_t)length;
}

void obey_answer(struct loop *loop, struct connection *connection) {
  struct answer *answer = connection->answer;
  connection->answer = NULL;
  if (connection->ended || connection->taken || connection->own || !connection->dialing) {
    free(answer);
    return;
  }
  connection->own = answer;
  free(connection->said);
  connection->said = NULL;
  if (!skip_first_bytes(loop, connection, answer->skipped)) stop_connection(loop, connection, ECANCELED);
  else if (answer->gives) take_connection(loop, connection);
  else dial_next(loop, connection);
}

/* Sends the target what comes before the client's bytes. A socket that is new has room for it; one that has broken is its
   flow's business. */
bool send_head(const struct connection *connection) {
  const struct answer *own = connection->own;
  if (!own || own->head_length == 0) return true;
  ssize_t sent = send(connection->target->fd, own->head, own->head_length, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent == (ssize_t)own->head_length || (sent < 0 && (errno == EPIPE || errno == ECONNRESET));
}

/* Gives a connection that is not joined yet to JavaScript, with the connect that is under way. It has its place in the lane
   until it is stopped. */
void take_connection(struct loop *loop, struct connection *connection) {
  if (connection->ended || connection->taken || !connection->dialing) return;
  connection->taken = true;
  connection->hearing = false;
  connection->taken_client = take_fd(loop, connection->client);
  connection->client = NULL;
  bool was_starved = connection->starved;
  connection->starved = false;
  if (!connection->target) leave_clock(connection);
  tell_connection(loop, connection, NOTIFY_TAKEN);
  if (was_starved) refuse_taken(loop, connection, EMFILE);
}

/* The connect that was under way has finished: the connection is established. */
void hand_over_target(struct loop *loop, struct connection *connection) {
  leave_target(loop, connection);
  connection->taken_target = take_fd(loop, connection->target);
  connection->target = NULL;
  leave_clock(connection);
  tell_connection(loop, connection, NOTIFY_DIALLED);
}

/* … and it does not. */
void refuse_taken(struct loop *loop, struct connection *connection, int error) {
  leave_target(loop, connection);
  if (connection->target) close_end(loop, connection->target);
  connection->target = NULL;
  leave_clock(connection);
  note_refusal(connection, error);
  tell_connection(loop, connection, NOTIFY_REFUSED);
}
