#include "random_delay.h"

#ifdef TNET_DELAYS
#include <stdint.h>
#include <time.h>

void delay_at_random(unsigned most_ms) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t chance = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u >> 32; /* the clock's last digits are random enough */
  uint64_t delay_us = chance & 1 ? most_ms * 1000u : chance / 2 % (most_ms * 1000u);
  struct timespec delay = {.tv_sec = 0, .tv_nsec = (long)(delay_us * 1000u)};
  nanosleep(&delay, NULL);
}
#endif
