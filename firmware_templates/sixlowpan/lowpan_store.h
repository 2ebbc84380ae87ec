/*
 * What the keyed chains of a node need over a restart: how far its own counters were, and those of its peers. Without
 * it, whoever has heard this node before takes what it sends after a restart for a replay, and this node takes real
 * replays for new.
 */
#ifndef TINYC_LOWPAN_STORE_H
#define TINYC_LOWPAN_STORE_H

#include <stdint.h>

/* After lpc_init: gives the receive path what is known of the peers. Returns the epoch for what this node sends. */
uint16_t lowpan_store_begin(void);

/* Writes down what has changed: `epoch` is the highest that this node has used. At most one record a second. */
void lowpan_store_poll(uint32_t now_ms, uint16_t epoch);

/*
 * Two pages of flash, in words, by number: the chip's driver has these. A word is written once after each erasure.
 */
#define LOWPAN_STORE_WORDS 1024u
uint32_t lowpan_page_read(uint32_t page, uint32_t word);
void lowpan_page_write(uint32_t page, uint32_t word, const uint32_t words[2]);
void lowpan_page_erase(uint32_t page);

#endif
