/*
 * Load for bench/engine.mjs, cheap enough not to be the limit.
 *   send HOST-PORT BYTES   connects, sends BYTES zeros, half-closes, waits for the end
 *   take PORT              accepts one connection, discards what comes in the kernel (MSG_TRUNC), prints the count
 *   feed BYTES             writes BYTES to stdout, 64 KiB at a time
 *   drain                  reads stdin to its end, prints the count on stderr
 *   serve PORT             echoes any number of connections
 *   rate PORT COUNT MANY   COUNT connections of one one-byte round trip each, MANY at a time; connections per second
 *   pings PORT COUNT MANY  COUNT one-byte round trips on each of MANY connections at once, prints p50 and p99
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char block[256 * 1024];

static struct sockaddr_in address_of(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int dial(const char *port) {
  struct sockaddr_in address = address_of(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) exit(3);
  return fd;
}

static int take_one(const char *port) {
  struct sockaddr_in address = address_of(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 8) != 0) exit(4);
  fprintf(stderr, "listening\n");
  return accept(fd, NULL, NULL);
}

static void write_all(int fd, long long bytes) {
  while (bytes > 0) {
    ssize_t sent = write(fd, block, bytes < 65536 ? (size_t)bytes : 65536);
    if (sent <= 0) exit(5);
    bytes -= sent;
  }
}

static int listen_on(const char *port) {
  struct sockaddr_in address = address_of(port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0) exit(4);
  return fd;
}

static void watch(int epoll, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void serve(const char *port) {
  struct epoll_event events[256];
  int epoll = epoll_create1(0), listener = listen_on(port), on = 1;
  watch(epoll, listener, EPOLLIN);
  for (;;) {
    int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          watch(epoll, fd, EPOLLIN);
        }
        continue;
      }
      ssize_t got = read(fd, block, 4096);
      if (got <= 0 || write(fd, block, (size_t)got) != got) close(fd);
    }
  }
}

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static int start_trip(int epoll, const char *port) {
  int fd = dial(port);
  watch(epoll, fd, EPOLLIN);
  if (write(fd, "x", 1) != 1) exit(6);
  return fd;
}

static void rate(const char *port, int count, int many) {
  struct epoll_event events[256];
  int epoll = epoll_create1(0), begun = 0, over = 0;
  double from = now_us();
  for (; begun < many && begun < count; begun++) start_trip(epoll, port);
  while (over < count) {
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      if (read(events[i].data.fd, block, 16) != 1) exit(7);
      close(events[i].data.fd);
      over++;
      if (begun < count && ++begun) start_trip(epoll, port);
    }
  }
  printf("%.0f 0\n", count / ((now_us() - from) / 1e6));
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

int main(int argc, char **argv) {
  long long total = 0;
  ssize_t got;
  if (argc > 3 && strcmp(argv[1], "send") == 0) {
    int fd = dial(argv[2]);
    write_all(fd, atoll(argv[3]));
    shutdown(fd, SHUT_WR);
    while (read(fd, block, sizeof block) > 0) {}
  } else if (argc > 2 && strcmp(argv[1], "take") == 0) {
    int fd = take_one(argv[2]);
    while ((got = recv(fd, block, 4 << 20, MSG_TRUNC)) > 0) total += got;
    printf("%lld\n", total);
  } else if (argc > 2 && strcmp(argv[1], "feed") == 0) {
    write_all(1, atoll(argv[2]));
  } else if (argc > 1 && strcmp(argv[1], "drain") == 0) {
    while ((got = read(0, block, sizeof block)) > 0) total += got;
    fprintf(stderr, "%lld\n", total);
  } else if (argc > 2 && strcmp(argv[1], "serve") == 0) {
    serve(argv[2]);
  } else if (argc > 4 && strcmp(argv[1], "rate") == 0) {
    rate(argv[2], atoi(argv[3]), atoi(argv[4]));
  } else if (argc > 4 && strcmp(argv[1], "pings") == 0) {
    pings(argv[2], atoi(argv[3]), atoi(argv[4]));
  }
  return 0;
}
