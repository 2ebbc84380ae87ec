/* The two chains over the fragments of a datagram: see lpc_chain.c. */
#ifndef TINYC_LPC_CHAIN_H
#define TINYC_LPC_CHAIN_H

#include "lpc.h"

#define LPC_HEADER_FIRST 4u
#define LPC_HEADER_LATER 5u
#define LPC_TAG_FIRST_BYTES 4u
#define LPC_TAG_MIDDLE_BYTES 2u
#define LPC_TAG_LAST_BYTES 8u

enum lpc_link { LPC_LINK_FIRST = 1, LPC_LINK_MIDDLE = 2, LPC_LINK_LAST = 3, LPC_LINK_ONLY = 4 };

/* The chain's value behind the first fragment; fragment is the RFC 4944 header and what follows, without the tag. */
uint64_t lpc_chain_first(const uint8_t *key, const struct lpc_address *source, const struct lpc_address *destination,
                         uint32_t counter, uint32_t link, const uint8_t *fragment, uint8_t length);
uint64_t lpc_chain_later(const uint8_t *key, uint64_t before, uint32_t link, const uint8_t *fragment, uint8_t length);
/* 1 if the tag of one of the three lengths is the lowest bytes of the value. Takes the same time for all of them. */
uint32_t lpc_chain_fits(uint64_t value, const uint8_t *tag, uint8_t length);
#define LPC_HASH_BYTES 8u
/* Of the first fragment without the second one's hash; that hash covers it. */
uint64_t lpc_content_first(const uint8_t *fragment, uint8_t length);
/*
 * The hash that the fragment before this one carries: of the RFC 4944 header and what follows, the next one's hash with
 * it. `first` is lpc_content_first, in bytes, if the fragment before is the first one, or 0.
 */
uint64_t lpc_content_hash(const uint8_t *fragment, uint8_t length, uint32_t last, const uint8_t *first);

#endif
