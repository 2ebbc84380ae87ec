/* How much of a datagram its first fragment holds: see lpc_first.c. */
#ifndef TINYC_LPC_FIRST_H
#define TINYC_LPC_FIRST_H

#include "lpc_contexts.h"

/*
 * Measures the headers at the start of a first fragment's content, with all that may still be of its trailer behind.
 * `like` has the addresses, the size and the mode. LPC_TAKEN, or what is wrong.
 */
uint32_t lpc_first_measure(const struct lpc_context *like, const uint8_t *content, uint8_t length,
                           struct iphc_headers *measured);
/* Bytes of the datagram that `length` bytes of such a content stand for; 0 where the headers are longer. */
static inline uint16_t lpc_first_covers(const struct iphc_headers *measured, uint8_t length) {
    return length < measured->consumed ? 0u : (uint16_t)(measured->made + length - measured->consumed);
}

#endif
