/* Socket options by name. Sources: socket(7), ip(7), ipv6(7), tcp(7). */
#include "socket_option.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

struct option {
  const char *name;
  int level, number;
};

static const struct option options[] = {
    {"rcvbuf", SOL_SOCKET, SO_RCVBUF},
    {"sndbuf", SOL_SOCKET, SO_SNDBUF},
    {"nodelay", IPPROTO_TCP, TCP_NODELAY},
};
/* What IPv4 and IPv6 have under a number each, IPv4's first. */
static const struct option by_family[][2] = {
    {{"ttl", IPPROTO_IP, IP_TTL}, {"ttl", IPPROTO_IPV6, IPV6_UNICAST_HOPS}},
    {{"tos", IPPROTO_IP, IP_TOS}, {"tos", IPPROTO_IPV6, IPV6_TCLASS}},
};

static const struct option *find(int fd, const char *name) {
  for (size_t i = 0; i < sizeof by_family / sizeof *by_family; i++) {
    if (strcmp(by_family[i][0].name, name) != 0) continue;
    int family = 0;
    socklen_t length = sizeof family;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0) return NULL;
    return &by_family[i][family == AF_INET6];
  }
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    if (strcmp(options[i].name, name) == 0) return &options[i];
  }
  errno = EINVAL;
  return NULL;
}

/* linger is seconds, or -1 for the system's default; 0 makes close send a reset. */
static int get_linger(int fd, int *value) {
  struct linger linger;
  socklen_t length = sizeof linger;
  if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) != 0) return -1;
  *value = linger.l_onoff ? linger.l_linger : -1;
  return 0;
}

static int set_linger(int fd, int value) {
  struct linger linger = {.l_onoff = value >= 0, .l_linger = value >= 0 ? value : 0};
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int get_int_option(int fd, const char *name, int *value) {
  if (strcmp(name, "linger") == 0) return get_linger(fd, value);
  const struct option *option = find(fd, name);
  socklen_t length = sizeof *value;
  return option ? getsockopt(fd, option->level, option->number, value, &length) : -1;
}

int set_int_option(int fd, const char *name, int value) {
  if (strcmp(name, "linger") == 0) return set_linger(fd, value);
  const struct option *option = find(fd, name);
  if (!option) return -1;
  /* What goes to an IPv4 peer of an IPv6 socket has IPv4's own. One that is for IPv6 only may refuse it. */
  if (option->level == IPPROTO_IPV6) {
    const struct option *mapped = option - 1;
    (void)setsockopt(fd, mapped->level, mapped->number, &value, sizeof value);
  }
  return setsockopt(fd, option->level, option->number, &value, sizeof value);
}
