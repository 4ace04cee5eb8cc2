/* Who may take an express lane: the lists of --allow and --deny, as src/access/access-list.ts judges by them. */
#include "lane.h"

static bool is_mapped(const struct name *name) {
  return name->family == 6 && name->words[0] == 0 && name->words[1] == 0 && name->words[2] == 0xffff;
}

static bool has_prefix(const uint32_t *words, const struct block *block) {
  unsigned left = block->bits;
  for (int i = 0; left > 0; i++) {
    unsigned here = left < 32 ? left : 32;
    uint32_t mask = UINT32_MAX << (32 - here);
    if ((words[i] ^ block->words[i]) & mask) return false;
    left -= here;
  }
  return true;
}

/* An IPv4 block holds the IPv4-mapped IPv6 forms of its addresses as well; an IPv6 block holds no IPv4 address. */
static bool covers(const struct block *block, const struct name *client) {
  if (block->family == client->family) return has_prefix(client->words, block);
  return block->family == 4 && is_mapped(client) && has_prefix(client->words + 3, block);
}

/* A denial wins. A client without an address is only welcome where nothing is listed. */
bool is_welcome(const struct lane *lane, const struct name *client) {
  if (!lane->has_allow && !lane->has_deny) return true;
  if (client->family == 0) return false;
  bool allowed = !lane->has_allow;
  for (size_t i = 0; i < lane->block_count; i++) {
    const struct block *block = &lane->blocks[i];
    if (!covers(block, client)) continue;
    if (!block->allows) return false;
    allowed = true;
  }
  return allowed;
}
