/* Pipes to splice through. An idle flow holds none; a few are kept because making one costs three system calls. */
#include "engine.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void close_pipe(struct pipe_pair *pair) {
  close(pair->read_fd);
  close(pair->write_fd);
  free(pair);
}

static struct pipe_pair *create_pipe(void) {
  int fds[2];
  struct pipe_pair *pair = malloc(sizeof *pair);
  if (!pair) return NULL;
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
    free(pair);
    return NULL;
  }
  *pair = (struct pipe_pair){.read_fd = fds[0], .write_fd = fds[1]};
  /* Over /proc/sys/fs/pipe-user-pages-soft this fails, and the pipe may be as small as one page. */
  if (fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES) < 0 && fcntl(fds[1], F_GETPIPE_SZ) < PIPE_LEAST_BYTES) {
    close_pipe(pair);
    return NULL;
  }
  return pair;
}

/* NULL when the system has no more: the caller copies instead. */
struct pipe_pair *take_pipe(struct loop *loop) {
  struct pipe_pair *pair = loop->pool;
  if (!pair) return create_pipe();
  loop->pool = pair->next;
  loop->pooled--;
  return pair;
}

void give_pipe(struct loop *loop, struct pipe_pair *pair, bool empty) {
  if (!empty || loop->pooled >= POOL_MOST) {
    close_pipe(pair);
    return;
  }
  pair->next = loop->pool;
  loop->pool = pair;
  loop->pooled++;
}

void empty_pool(struct loop *loop) {
  while (loop->pool) close_pipe(take_pipe(loop));
  loop->pooled = 0;
}
