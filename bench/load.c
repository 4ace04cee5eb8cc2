/*
 * The load of the benchmark, cheap enough not to be the limit. An address is a port of 127.0.0.1, or a Unix path.
 *   send ADDRESS BYTES N       sends BYTES zeros over N connections, half-closes, waits for their ends
 *   sink ADDRESS               discards what any number of connections send
 *   take ADDRESS               the same with one connection, then ends
 *   feed BYTES                 writes BYTES to stdout, 64 KiB at a time
 *   drain                      reads stdin to its end
 *   serve ADDRESS              echoes any number of connections
 *   rate ADDRESS COUNT MANY [PREFACE [TRIPS]]
 *                              COUNT connections of one one-byte round trip each, MANY at a time; connections per second.
 *                              PREFACE, in hexadecimal, goes before the byte; what is answered to it is passed over.
 *                              With TRIPS, each connection makes so many, each with the preface
 *   pings ADDRESS COUNT MANY   COUNT one-byte round trips on each of MANY connections at once; p50 and p99 in us
 *   udp-serve ADDRESS          echoes datagrams
 *   udp-rate ADDRESS COUNT MANY
 *                              datagrams echoed per second, and the share that came back: MANY sockets have eight of 100
 *                              bytes on their way at a time, until COUNT have been sent
 *   hold ADDRESS COUNT         opens COUNT connections, one round trip on each, says so, and keeps them until its
 *                              stdin ends
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char block[256 * 1024];

struct where {
  struct sockaddr_storage address;
  socklen_t length;
};

static struct where find(const char *word) {
  struct where where = {.length = sizeof(struct sockaddr_in)};
  if (word[0] == '/') {
    struct sockaddr_un *local = (struct sockaddr_un *)&where.address;
    local->sun_family = AF_UNIX;
    strncpy(local->sun_path, word, sizeof local->sun_path - 1);
    where.length = sizeof *local;
  } else {
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&where.address;
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons((unsigned short)atoi(word));
    ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  return where;
}

static int create(const struct where *where) {
  int fd = socket(where->address.ss_family, SOCK_STREAM, 0), on = 1;
  if (fd < 0) exit(2);
  if (where->address.ss_family == AF_INET) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static int dial(const char *word) {
  struct where where = find(word);
  for (int tries = 0; tries < 200; tries++) {
    int fd = create(&where);
    if (connect(fd, (struct sockaddr *)&where.address, where.length) == 0) return fd;
    close(fd);
    usleep(10000); /* a Unix path is there before its server listens */
  }
  exit(3);
}

static int listen_on(const char *word) {
  struct where where = find(word);
  int fd = create(&where), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&where.address, where.length) != 0 || listen(fd, 4096) != 0) exit(4);
  return fd;
}

static void write_all(int fd, long long bytes) {
  while (bytes > 0) {
    ssize_t sent = write(fd, block, bytes < 65536 ? (size_t)bytes : 65536);
    if (sent <= 0) exit(5);
    bytes -= sent;
  }
}

static ssize_t discard(int fd) {
  ssize_t got = recv(fd, block, 4 << 20, MSG_TRUNC); /* TCP discards in the kernel */
  return got;
}

static ssize_t discard_from(int fd, bool is_unix) {
  return is_unix ? read(fd, block, sizeof block) : discard(fd);
}

static void watch(int epoll, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void set_nonblocking(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Accepts any number of connections; echoes what they send, or discards it. */
static void serve(const char *word, bool echoes) {
  struct epoll_event events[256];
  bool is_unix = word[0] == '/';
  int epoll = epoll_create1(0), listener = listen_on(word), on = 1;
  set_nonblocking(listener);
  watch(epoll, listener, EPOLLIN);
  for (;;) {
    int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          if (!is_unix) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          watch(epoll, fd, EPOLLIN);
        }
        continue;
      }
      ssize_t got = echoes ? read(fd, block, 4096) : discard_from(fd, is_unix);
      if (got <= 0 || (echoes && write(fd, block, (size_t)got) != got)) close(fd);
    }
  }
}

static void take(const char *word) {
  int listener = listen_on(word), fd = accept(listener, NULL, NULL);
  while (discard_from(fd, word[0] == '/') > 0) {}
}

static void send_all(const char *word, long long bytes, int many) {
  struct epoll_event events[256];
  static long long left[70000];
  int epoll = epoll_create1(0), open = many;
  if (many == 1) {
    int fd = dial(word);
    write_all(fd, bytes);
    shutdown(fd, SHUT_WR);
    while (read(fd, block, sizeof block) > 0) {}
    return;
  }
  for (int i = 0; i < many; i++) {
    int fd = dial(word);
    set_nonblocking(fd);
    left[fd] = bytes / many;
    watch(epoll, fd, EPOLLOUT);
  }
  while (open > 0) {
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (left[fd] == 0) {
        ssize_t got = read(fd, block, sizeof block);
        if (got == 0) {
          close(fd);
          open--;
        } else if (got < 0) exit(9);
        continue;
      }
      ssize_t sent = write(fd, block, left[fd] < 65536 ? (size_t)left[fd] : 65536);
      if (sent < 0) continue;
      left[fd] -= sent;
      if (left[fd] > 0) continue;
      shutdown(fd, SHUT_WR);
      struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
      epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
    }
  }
}

static void hold(const char *word, int count) {
  for (int i = 0; i < count; i++) {
    int fd = dial(word);
    if (write(fd, "x", 1) != 1 || read(fd, block, 16) != 1) exit(7);
  }
  printf("held\n");
  fflush(stdout);
  while (read(0, block, sizeof block) > 0) {}
}

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

/* What a connection sends first: a preface, and the byte that comes back. */
static char opening[1024] = "x";
static size_t opening_bytes = 1;

static void set_preface(const char *hex) {
  size_t length = strlen(hex) / 2;
  if (length >= sizeof opening) exit(64);
  for (size_t i = 0; i < length; i++) {
    unsigned byte;
    if (sscanf(hex + 2 * i, "%2x", &byte) != 1) exit(64);
    opening[i] = (char)byte;
  }
  opening[length] = 'x';
  opening_bytes = length + 1;
}

static int start_trip(int epoll, const char *port) {
  int fd = dial(port);
  watch(epoll, fd, EPOLLIN);
  if (write(fd, opening, opening_bytes) != (ssize_t)opening_bytes) exit(6);
  return fd;
}

static void rate(const char *port, int count, int many, int trips) {
  struct epoll_event events[256];
  static int made[70000];
  int epoll = epoll_create1(0), begun = 0, over = 0;
  double from = now_us();
  for (; begun < many && begun < count; begun++) start_trip(epoll, port);
  while (over < count) {
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      ssize_t got = read(events[i].data.fd, block, sizeof block);
      if (got <= 0) exit(7);
      if (block[got - 1] != 'x') continue;
      int fd = events[i].data.fd;
      if (++made[fd] < trips) {
        if (write(fd, opening, opening_bytes) != (ssize_t)opening_bytes) exit(8);
        continue;
      }
      made[fd] = 0;
      close(fd);
      over++;
      if (begun < count && ++begun) start_trip(epoll, port);
    }
  }
  printf("%.0f\n", count / ((now_us() - from) / 1e6));
}

static int compare_times(const void *a, const void *b) {
  return (*(const float *)a > *(const float *)b) - (*(const float *)a < *(const float *)b);
}

static void pings(const char *port, int count, int many) {
  struct epoll_event events[256];
  static double begun[70000];
  int epoll = epoll_create1(0), total = count * many, over = 0;
  float *times = calloc((size_t)total, sizeof *times);
  for (int i = 0; i < many; i++) {
    int fd = start_trip(epoll, port);
    begun[fd] = now_us();
  }
  while (over < total) {
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready && over < total; i++) {
      int fd = events[i].data.fd;
      if (read(fd, block, 16) != 1) exit(7);
      double now = now_us();
      times[over++] = (float)(now - begun[fd]);
      begun[fd] = now;
      if (write(fd, "x", 1) != 1) exit(8);
    }
  }
  qsort(times, (size_t)total, sizeof *times, compare_times);
  printf("%.1f %.1f\n", times[total / 2], times[(long)total * 99 / 100]);
}

static int udp_socket(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), bytes = 4 << 20;
  if (fd < 0) exit(2);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  return fd;
}

static void udp_serve(const char *word) {
  struct where where = find(word);
  int fd = udp_socket();
  fcntl(fd, F_SETFL, 0);
  if (bind(fd, (struct sockaddr *)&where.address, where.length) != 0) exit(3);
  for (;;) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(fd, block, sizeof block, 0, (struct sockaddr *)&from, &length);
    if (got >= 0) sendto(fd, block, (size_t)got, 0, (struct sockaddr *)&from, length);
  }
}

/* A datagram may be lost: where nothing comes for 200 ms, all that is on its way counts as lost. */
static void udp_rate(const char *word, int count, int many) {
  struct epoll_event events[256];
  struct where where = find(word);
  static int away[70000];
  int epoll = epoll_create1(0), sent = 0, back = 0;
  double from = now_us(), last = from;
  for (int i = 0; i < many; i++) {
    int fd = udp_socket();
    if (connect(fd, (struct sockaddr *)&where.address, where.length) != 0) exit(4);
    watch(epoll, fd, EPOLLIN);
    for (; away[fd] < 8 && sent < count; away[fd]++, sent++) send(fd, block, 100, 0);
  }
  for (;;) {
    int ready = epoll_wait(epoll, events, 256, 200);
    if (ready <= 0) break;
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      while (recv(fd, block, sizeof block, 0) >= 0) {
        back++;
        away[fd]--;
      }
      for (; away[fd] < 8 && sent < count; away[fd]++, sent++) send(fd, block, 100, 0);
    }
    last = now_us();
    if (back == sent && sent >= count) break;
  }
  printf("%.0f %.4f\n", back / ((last - from) / 1e6), (double)back / sent);
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "", *word = argc > 2 ? argv[2] : "";
  long long number = argc > 3 ? atoll(argv[3]) : 0;
  int many = argc > 4 ? atoi(argv[4]) : 1;
  if (strcmp(what, "send") == 0) send_all(word, number, many);
  else if (strcmp(what, "sink") == 0) serve(word, false);
  else if (strcmp(what, "take") == 0) take(word);
  else if (strcmp(what, "feed") == 0) write_all(1, atoll(word));
  else if (strcmp(what, "drain") == 0) while (read(0, block, sizeof block) > 0) {}
  else if (strcmp(what, "serve") == 0) serve(word, true);
  else if (strcmp(what, "rate") == 0) {
    if (argc > 5) set_preface(argv[5]);
    rate(word, (int)number, many, argc > 6 ? atoi(argv[6]) : 1);
  } else if (strcmp(what, "udp-serve") == 0) udp_serve(word);
  else if (strcmp(what, "udp-rate") == 0) udp_rate(word, (int)number, many);
  else if (strcmp(what, "pings") == 0) pings(word, (int)number, many);
  else if (strcmp(what, "hold") == 0) hold(word, (int)number);
  else return 64;
  return 0;
}
