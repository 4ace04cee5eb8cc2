/*
 * Delays at random where the two threads hand over to each other, in a build for tests alone (-DTNET_DELAYS): orders of
 * events that are rare become common. Half of them are the longest.
 */
#ifndef TNET_RANDOM_DELAY_H
#define TNET_RANDOM_DELAY_H

enum {
  DELAY_COMMANDS_MS = 60, /* before the engine's thread takes its commands */
  DELAY_NOTIFY_MS = 30      /* before JavaScript takes its notifications */
};

#ifdef TNET_DELAYS
void delay_at_random(unsigned most_ms);
#else
static inline void delay_at_random(unsigned most_ms) {
  (void)most_ms;
}
#endif

#endif
