/* Frames for the receiver under test: see lpc_given.c. */
#ifndef LPC_GIVEN_H
#define LPC_GIVEN_H

#include "lpc_sent.h"

/* Milliseconds, and how many frames a run may give. */
extern uint32_t given_now, given_most;

/* The key that a source has with the receiver, 0 where it has none. */
const uint8_t *pair_key(const struct lpc_address *source);
void given_reset(void);
/* The receiver has started again: its counters have, too. */
void given_restarted(void);
void given_forget(const struct lpc_address *source);
/* The verdict, LPC_VERDICTS behind the most. */
uint32_t give(const struct lpc_address *source, const struct lpc_address *destination, const uint8_t *bytes,
              uint32_t length);
/* The last frame again, at the same time: nothing changes. */
void give_again(void);
void check_lists(const struct lpc_use *use);

#endif
