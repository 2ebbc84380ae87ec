/*
 * How much of a datagram its first fragment holds. A compressed header must lie in the first fragment whole (RFC
 * 6282, section 2), so all that can be wrong with it is known before it gets memory.
 */
#include "lpc_first.h"

#include "lpc_datagram.h"

#define IPV6 0x41u
#define IPV6_HEADER 40u

uint32_t lpc_first_measure(const struct lpc_context *like, const uint8_t *content, uint8_t length,
                           struct iphc_headers *measured) {
    if (content[0] == IPV6) {
        if (length < 1u + IPV6_HEADER) {
            return LPC_BAD_LENGTH;
        }
        if (content[1] >> 4 != 6u) {
            return LPC_BAD_DISPATCH;
        }
        if (((uint32_t)content[5] << 8 | content[6]) != like->size - IPV6_HEADER) {
            return LPC_BAD_SIZE; /* the header's own length is another one */
        }
        measured->consumed = 1u + IPV6_HEADER;
        measured->made = IPV6_HEADER;
        return LPC_TAKEN;
    }
    if ((content[0] & 0xE0u) != 0x60u) {
        return LPC_BAD_DISPATCH;
    }
    const struct iphc_link link = lpc_datagram_link(&like->source, &like->destination, like->mode != LPC_LEGACY);
    return iphc_decompress(&link, content, length, 0u, 0, IPHC_HEADERS_ROOM, measured) == IPHC_OK ? LPC_TAKEN
                                                                                                  : LPC_BAD_IPHC;
}
