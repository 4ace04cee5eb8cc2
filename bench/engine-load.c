/*
 * Load for bench/engine.mjs, cheap enough not to be the limit.
 *   send HOST-PORT BYTES   connects, sends BYTES zeros, half-closes, waits for the end
 *   take PORT              accepts one connection, discards what comes in the kernel (MSG_TRUNC), prints the count
 *   feed BYTES             writes BYTES to stdout, 64 KiB at a time
 *   drain                  reads stdin to its end, prints the count on stderr
 *   ping PORT COUNT        COUNT one-byte round trips, prints p50 and p99 in microseconds
 *   echo PORT              echoes one connection
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int compare(const void *a, const void *b) {
  return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static void ping(int fd, int count) {
  int *times = calloc((size_t)count, sizeof *times);
  struct timespec from, to;
  for (int i = 0; i < count; i++) {
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (write(fd, "x", 1) != 1 || read(fd, block, 1) != 1) exit(6);
    clock_gettime(CLOCK_MONOTONIC, &to);
    times[i] = (int)((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec);
  }
  qsort(times, (size_t)count, sizeof *times, compare);
  printf("%.1f %.1f\n", times[count / 2] / 1e3, times[count * 99 / 100] / 1e3);
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
  } else if (argc > 3 && strcmp(argv[1], "ping") == 0) {
    ping(dial(argv[2]), atoi(argv[3]));
  } else if (argc > 2 && strcmp(argv[1], "echo") == 0) {
    int fd = take_one(argv[2]), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while ((got = read(fd, block, sizeof block)) > 0) {
      if (write(fd, block, (size_t)got) != got) break;
    }
  }
  return 0;
}
