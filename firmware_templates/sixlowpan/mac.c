/*
 * Frame control: type in bits 0..2, security 3, pending 4, acknowledgement request 5, one PAN for both
 * addresses 6, mode of the destination 10..11, version 12..13, mode of the source 14..15. Numbers and
 * addresses are sent with their lowest byte first.
 */
#include "mac.h"

#define CONTROL_BYTES 3u /* with the sequence number */
#define TYPE 7u
#define SECURED (1u << 3)
#define PENDING (1u << 4)
#define ACK_REQUEST (1u << 5)
#define ONE_PAN (1u << 6)
#define DESTINATION_SHIFT 10u
#define VERSION_SHIFT 12u
#define SOURCE_SHIFT 14u
#define MODE_NONE 0u
#define MODE_RESERVED 1u
#define MODE_SHORT 2u
#define MODE_EXTENDED 3u

static uint8_t address_bytes(uint32_t mode) {
    return mode == MODE_EXTENDED ? LPC_ADDRESS_EXTENDED : mode == MODE_SHORT ? LPC_ADDRESS_SHORT : 0u;
}

static uint32_t mode_of(const struct lpc_address *address) {
    return address->kind == LPC_ADDRESS_EXTENDED ? MODE_EXTENDED
           : address->kind == LPC_ADDRESS_SHORT  ? MODE_SHORT
                                                 : MODE_NONE;
}

static void clear_address(struct lpc_address *address) {
    for (uint32_t i = 0; i < sizeof address->bytes; i++) {
        address->bytes[i] = 0u;
    }
    address->kind = LPC_ADDRESS_ABSENT;
}

static void read_address(const uint8_t *bytes, uint8_t kind, struct lpc_address *address) {
    for (uint32_t i = 0; i < kind; i++) {
        address->bytes[i] = bytes[kind - 1u - i];
    }
    address->kind = kind;
}

static uint16_t read_number(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t mac_parse(const uint8_t *bytes, uint8_t length, struct mac_frame *frame) {
    clear_address(&frame->destination);
    clear_address(&frame->source);
    frame->type = MAC_BEACON;
    frame->ack_request = frame->pending = frame->sequence = 0u;
    frame->destination_pan = frame->source_pan = 0u;
    frame->payload = frame->payload_length = 0u;
    if (length < CONTROL_BYTES || length > MAC_LARGEST) {
        return MAC_TRUNCATED;
    }
    const uint32_t control = read_number(bytes);
    const uint32_t destination = control >> DESTINATION_SHIFT & 3u, source = control >> SOURCE_SHIFT & 3u;
    frame->type = (uint8_t)(control & TYPE);
    frame->ack_request = (control & ACK_REQUEST) != 0u;
    frame->pending = (control & PENDING) != 0u;
    frame->sequence = bytes[2];
    if ((control >> VERSION_SHIFT & 3u) > 1u || frame->type > MAC_COMMAND) {
        return MAC_UNSUPPORTED;
    }
    const uint32_t one_pan = (control & ONE_PAN) != 0u;
    if (destination == MODE_RESERVED || source == MODE_RESERVED) {
        return MAC_BAD_ADDRESS;
    }
    if (one_pan && (destination == MODE_NONE || source == MODE_NONE)) {
        return MAC_BAD_ADDRESS;
    }
    if (frame->type == MAC_DATA && destination == MODE_NONE && source == MODE_NONE) {
        return MAC_BAD_ADDRESS;
    }
    /* 23 at most, so that a byte counts it. */
    const uint8_t destination_bytes = address_bytes(destination), source_bytes = address_bytes(source);
    const uint32_t header = CONTROL_BYTES + (destination != MODE_NONE ? 2u : 0u) + destination_bytes +
                            (source != MODE_NONE && !one_pan ? 2u : 0u) + source_bytes;
    if (header > length) {
        return MAC_TRUNCATED;
    }
    uint32_t at = CONTROL_BYTES;
    if (destination != MODE_NONE) {
        frame->destination_pan = read_number(bytes + at);
        read_address(bytes + at + 2u, destination_bytes, &frame->destination);
        at += 2u + destination_bytes;
    }
    if (source != MODE_NONE) {
        frame->source_pan = frame->destination_pan;
        if (!one_pan) {
            frame->source_pan = read_number(bytes + at);
            at += 2u;
        }
        read_address(bytes + at, source_bytes, &frame->source);
        at += source_bytes;
    }
    frame->payload = (uint8_t)at;
    if ((control & SECURED) != 0u) {
        return MAC_SECURED;
    }
    frame->payload_length = (uint8_t)(length - at);
    return MAC_OK;
}

static uint32_t same_address(const struct lpc_address *one, const struct lpc_address *other) {
    uint32_t difference = (uint32_t)one->kind ^ other->kind;
    for (uint32_t i = 0; i < sizeof one->bytes; i++) {
        difference |= (uint32_t)one->bytes[i] ^ other->bytes[i];
    }
    return difference == 0u;
}

uint32_t mac_is_for(const struct mac_frame *frame, uint16_t pan, const struct lpc_address *short_address,
                    const struct lpc_address *extended_address) {
    const struct lpc_address *to = &frame->destination;
    if (frame->type != MAC_DATA || (frame->destination_pan != pan && frame->destination_pan != MAC_BROADCAST)) {
        return 0u;
    }
    if (to->kind == LPC_ADDRESS_SHORT) {
        const uint32_t everybody = to->bytes[0] == 0xFFu && to->bytes[1] == 0xFFu;
        return everybody || same_address(to, short_address);
    }
    return to->kind == LPC_ADDRESS_EXTENDED && same_address(to, extended_address);
}

static uint32_t write_number(uint8_t *bytes, uint32_t at, uint16_t number) {
    bytes[at] = (uint8_t)number;
    bytes[at + 1u] = (uint8_t)(number >> 8);
    return at + 2u;
}

static uint32_t write_address(uint8_t *bytes, uint32_t at, const struct lpc_address *address) {
    const uint32_t size = address_bytes(mode_of(address));
    for (uint32_t i = 0; i < size; i++) {
        bytes[at + i] = address->bytes[size - 1u - i];
    }
    return at + size;
}

uint8_t mac_write_header(const struct mac_frame *frame, uint8_t *bytes) {
    const uint32_t destination = mode_of(&frame->destination), source = mode_of(&frame->source);
    if (destination == MODE_NONE || source == MODE_NONE) {
        return 0u;
    }
    const uint32_t one_pan = frame->destination_pan == frame->source_pan;
    const uint32_t control = (uint32_t)MAC_DATA | (frame->pending ? PENDING : 0u) |
                             (frame->ack_request ? ACK_REQUEST : 0u) | (one_pan ? ONE_PAN : 0u) |
                             destination << DESTINATION_SHIFT | source << SOURCE_SHIFT;
    uint32_t at = write_number(bytes, 0u, (uint16_t)control);
    bytes[at++] = frame->sequence;
    at = write_number(bytes, at, frame->destination_pan);
    at = write_address(bytes, at, &frame->destination);
    if (!one_pan) {
        at = write_number(bytes, at, frame->source_pan);
    }
    return (uint8_t)write_address(bytes, at, &frame->source);
}

void mac_write_ack(uint8_t sequence, uint8_t *bytes) {
    (void)write_number(bytes, 0u, MAC_ACK);
    bytes[2] = sequence;
}

/* The other bits of frame control say nothing in an acknowledgement, but for the version. */
uint32_t mac_acknowledges(const uint8_t *bytes, uint8_t length, uint8_t sequence) {
    return length == MAC_ACK_BYTES && (bytes[0] & (TYPE | SECURED)) == MAC_ACK && (bytes[1] & 0x20u) == 0u &&
           bytes[2] == sequence;
}
