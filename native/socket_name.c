/* Addresses of sockets, as they are reported to JavaScript. */
#include "lane.h"

#include <netinet/in.h>
#include <string.h>

/* netfilter's SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST; their headers do not go together with netinet/in.h. */
enum { ORIGINAL_DESTINATION = 80 };

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

/* Who has connected to a Unix socket. Source: unix(7), SO_PEERCRED. */
void ask_credentials(struct name *name, int fd) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return;
  name->words[0] = (uint32_t)peer.pid;
  name->words[1] = peer.uid;
  name->words[2] = peer.gid;
}

/* Where an accepted connection was going before a rule of this machine (DNAT, REDIRECT) had it come here; false where the
   system knows nothing of it. */
bool ask_original(struct sockaddr_storage *address, int fd) {
  socklen_t length = sizeof *address;
  memset(address, 0, sizeof *address);
  if (getsockopt(fd, IPPROTO_IP, ORIGINAL_DESTINATION, address, &length) == 0) return true;
  length = sizeof *address;
  return getsockopt(fd, IPPROTO_IPV6, ORIGINAL_DESTINATION, address, &length) == 0;
}

/* An IPv4 address in IPv6's form is the IPv4 address. */
static struct name plain_name(const struct name *name) {
  struct name plain = *name;
  if (name->family == 6 && name->words[0] == 0 && name->words[1] == 0 && name->words[2] == 0xffff) {
    plain = (struct name){.family = 4, .port = name->port, .words = {name->words[3]}};
  }
  return plain;
}

bool is_same_name(const struct name *one, const struct name *other) {
  struct name a = plain_name(one), b = plain_name(other);
  return a.family == b.family && a.port == b.port && memcmp(a.words, b.words, sizeof a.words) == 0;
}
