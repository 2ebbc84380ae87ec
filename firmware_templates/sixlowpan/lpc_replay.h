/* The counters of keyed chains: see lpc_replay.c. */
#ifndef TINYC_LPC_REPLAY_H
#define TINYC_LPC_REPLAY_H

#include "lpc_contexts.h"

void lpc_replay_init(void);
/*
 * A first fragment of a peer with a key; its tag is behind its `length` bytes. LPC_TAKEN if that is right: the
 * counter is used and the chain begun in like->chain.
 */
uint32_t lpc_replay_first(uint32_t peer, struct lpc_context *like, uint32_t link, const uint8_t *fragment,
                          uint8_t length);

#endif
