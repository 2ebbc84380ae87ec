/* A datagram that is complete, and whether it may be delivered: see lpc_datagram.c. */
#ifndef TINYC_LPC_DATAGRAM_H
#define TINYC_LPC_DATAGRAM_H

#include "lpc.h"

/* The link between the two; checksums may be elided only where something else has `vouched` for the datagram. */
struct iphc_link lpc_datagram_link(const struct lpc_address *source, const struct lpc_address *destination,
                                   uint32_t vouched);

/*
 * `content` is the first fragment's, or the frame's: its headers are expanded into `headers`. `sum`: over the pieces
 * behind it. The datagram's addresses, mode, slot and, but for one frame, size are set; the rest of it is filled in.
 * Returns LPC_DELIVERED, LPC_BAD_IPHC or LPC_BAD_SUM.
 */
uint32_t lpc_datagram_check(struct lpc_datagram *datagram, const uint8_t *content, uint8_t length, uint32_t one_frame,
                            uint16_t sum, uint8_t headers[IPHC_HEADERS_ROOM]);

#endif
