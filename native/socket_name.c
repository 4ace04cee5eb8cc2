/* Addresses of sockets, as JavaScript is told of them. */
#include "lane.h"

#include <netinet/in.h>
#include <string.h>

void fill_name(struct name *name, const struct sockaddr_storage *address) {
  const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
  const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)address;
  memset(name, 0, sizeof *name);
  if (address->ss_family == AF_INET) {
    name->family = 4;
    name->port = ntohs(ipv4->sin_port);
    name->words[0] = ntohl(ipv4->sin_addr.s_addr);
  } else if (address->ss_family == AF_INET6) {
    name->family = 6;
    name->port = ntohs(ipv6->sin6_port);
    memcpy(name->words, &ipv6->sin6_addr, sizeof name->words);
    for (int i = 0; i < 4; i++) name->words[i] = ntohl(name->words[i]);
    if (IN6_IS_ADDR_LINKLOCAL(&ipv6->sin6_addr)) name->scope = ipv6->sin6_scope_id;
  }
}

/* The socket's own address; none when it cannot be told. */
void ask_name(struct name *name, int fd) {
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) address.ss_family = AF_UNSPEC;
  fill_name(name, &address);
}
