/*
 * Frames of IEEE 802.15.4-2006, without link-layer security. `length` never contains the two bytes of
 * check sum, which the radio makes and checks.
 */
#ifndef TINYC_MAC_H
#define TINYC_MAC_H

#include <stdint.h>

#include "lpc_address.h"

#define MAC_LARGEST 125u /* a frame without its check sum */
#define MAC_ACK_BYTES 3u
#define MAC_BROADCAST 0xFFFFu /* as PAN and as short address */

enum mac_type { MAC_BEACON, MAC_DATA, MAC_ACK, MAC_COMMAND };

enum mac_verdict {
    MAC_OK,
    MAC_TRUNCATED,   /* shorter than its own header, or longer than a frame can be */
    MAC_UNSUPPORTED, /* of a later version of the standard, or of a reserved type */
    MAC_SECURED,     /* link-layer security: the header was read, the payload was not */
    MAC_BAD_ADDRESS, /* a reserved addressing mode, no address at all, or one PAN for a lone address */
};

struct mac_frame {
    uint8_t type; /* enum mac_type */
    uint8_t ack_request;
    uint8_t pending;
    uint8_t sequence;
    uint16_t destination_pan; /* 0 where there is none */
    uint16_t source_pan;
    struct lpc_address destination;
    struct lpc_address source;
    uint8_t payload; /* where it begins */
    uint8_t payload_length;
};

/* Reads a frame; every byte looked at lies below `length`. Returns an enum mac_verdict. */
uint32_t mac_parse(const uint8_t *bytes, uint8_t length, struct mac_frame *frame);

/* Whether a frame is for this node: the address filter of the standard's first level, for data frames. */
uint32_t mac_is_for(const struct mac_frame *frame, uint16_t pan, const struct lpc_address *short_address,
                    const struct lpc_address *extended_address);

/*
 * Writes the header of a data frame with both addresses, one PAN where both are in the same one. The room is
 * at least MAC_LARGEST. Returns its length, where the payload goes, or 0 when an address is missing.
 */
uint8_t mac_write_header(const struct mac_frame *frame, uint8_t *bytes);

/* Writes an acknowledgement of MAC_ACK_BYTES. */
void mac_write_ack(uint8_t sequence, uint8_t *bytes);

/* Whether a frame acknowledges `sequence`. */
uint32_t mac_acknowledges(const uint8_t *bytes, uint8_t length, uint8_t sequence);

#endif
