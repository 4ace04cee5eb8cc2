/* Numbers for flows, lanes and connections: JavaScript never holds a pointer, and a number from before is never taken for a new one. */
#include "engine_api.h"

#include <stdlib.h>

enum { NO_SLOT = UINT32_MAX, FIRST_ROOM = 64 };
static const double GENERATION_STEP = 16777216.0; /* 2^24 slots, and 2^29 uses of each before a double runs out */

static bool grow(struct engine *engine) {
  uint32_t room = engine->slot_count ? engine->slot_count * 2 : FIRST_ROOM;
  if (room > (uint32_t)GENERATION_STEP) return false;
  struct slot *slots = realloc(engine->slots, room * sizeof *slots);
  if (!slots) return false;
  for (uint32_t i = engine->slot_count; i < room; i++) {
    slots[i] = (struct slot){.generation = 1, .next_free = i + 1 < room ? i + 1 : engine->free_slot};
  }
  engine->free_slot = engine->slot_count;
  engine->slots = slots;
  engine->slot_count = room;
  return true;
}

double add_slot(struct engine *engine, enum subject kind, void *subject) {
  if (engine->free_slot == (uint32_t)NO_SLOT && !grow(engine)) return 0;
  uint32_t index = engine->free_slot;
  struct slot *slot = &engine->slots[index];
  engine->free_slot = slot->next_free;
  slot->subject = subject;
  slot->kind = kind;
  return slot->generation * GENERATION_STEP + index;
}

static struct slot *slot_of(const struct engine *engine, double id) {
  if (!(id >= GENERATION_STEP && id < GENERATION_STEP * GENERATION_STEP * 32)) return NULL;
  uint64_t number = (uint64_t)id;
  uint32_t index = (uint32_t)(number % (uint64_t)GENERATION_STEP);
  if (index >= engine->slot_count) return NULL;
  struct slot *slot = &engine->slots[index];
  return slot->subject && slot->generation == number / (uint64_t)GENERATION_STEP ? slot : NULL;
}

/* NULL for what is over, once its ending has been handed out. */
void *find_slot(const struct engine *engine, enum subject kind, double id) {
  const struct slot *slot = slot_of(engine, id);
  return slot && slot->kind == kind ? slot->subject : NULL;
}

void drop_slot(struct engine *engine, double id) {
  struct slot *slot = slot_of(engine, id);
  if (!slot) return;
  slot->subject = NULL;
  slot->generation++;
  slot->next_free = engine->free_slot;
  engine->free_slot = (uint32_t)(slot - engine->slots);
}
