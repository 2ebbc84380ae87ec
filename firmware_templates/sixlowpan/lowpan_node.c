/*
 * From the radio to the application and back: see lowpan_node.h.
 */
#include "lowpan_node.h"

#include <string.h>

#include "hal.h"
#include "iphc.h"
#include "iphc_address.h"
#include "lowpan_send.h"
#include "mac.h"
#include "radio.h"

#define IPV6_BYTES 40u
#define UDP_BYTES 8u
#define UDP 17u
#define ICMP 58u
#define ECHO_REQUEST 128u
#define FRAMES_AT_ONCE 4u
/* Timers of datagrams under way run out so late at most. */
#define POLL_MS 50u
#define QUIET_MS 1000u

static struct lowpan_counters node_counts;
static uint32_t clock;
static struct lpc_address short_address = LOWPAN_SHORT;
static struct lpc_address extended_address = LOWPAN_EXTENDED;

static uint32_t word_of(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint16_t half_of(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

const struct lpc_address *lowpan_address(void) {
    return LOWPAN_SOURCE_IS_SHORT ? &short_address : &extended_address;
}

void lowpan_link_local(const struct lpc_address *address, uint8_t ip[16]) {
    memset(ip, 0, 16u);
    ip[0] = 0xFEu;
    ip[1] = 0x80u;
    (void)iphc_identifier(address, ip + 8);
}

void lowpan_init(void) {
    uint8_t chip[8];
    hal_device_id(chip);
#if LOWPAN_EXTENDED_OF_CHIP
    /* The chip's number, marked as administered locally and as no group (IEEE 802, 8.2). */
    memcpy(extended_address.bytes, chip, sizeof chip);
    extended_address.bytes[0] = (uint8_t)((extended_address.bytes[0] & 0xFCu) | 2u);
    extended_address.kind = LPC_ADDRESS_EXTENDED;
#endif
    const uint32_t seed = word_of(chip) ^ word_of(chip + 4) ^ word_of(lowpan_address()->bytes);
    const struct radio_settings settings = {
        .channel = LOWPAN_CHANNEL,
        .power = LOWPAN_POWER,
        .pan = LOWPAN_PAN,
        .short_address = short_address,
        .extended_address = extended_address,
        .seed = seed,
    };
    lpc_init();
    lowpan_send_init(seed);
    radio_init(&settings);
}

uint16_t lowpan_read(const struct lowpan_datagram *datagram, uint16_t offset, void *into, uint16_t length) {
    const uint16_t rest = offset < datagram->length ? (uint16_t)(datagram->length - offset) : 0u;
    const uint16_t part = length < rest ? length : rest;
    return lpc_copy(datagram->whole, (uint16_t)(datagram->skipped + offset), into, part) != 0u ? part : 0u;
}

/* Whether the last eight bytes of an IPv6 address are what the address on the link makes of them. */
static uint32_t has_identifier(const uint8_t *ip, const struct lpc_address *address) {
    uint8_t identifier[8];
    return iphc_identifier(address, identifier) != 0u && memcmp(ip + 8, identifier, sizeof identifier) == 0;
}

static uint32_t is_link_local(const uint8_t *ip) {
    return ip[0] == 0xFEu && (ip[1] & 0xC0u) == 0x80u;
}

/* All nodes of the link (ff02::1), or an address of this node, link-local or with any prefix. */
static uint32_t is_for_us(const uint8_t *ip) {
    static const uint8_t everybody[16] = {0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (memcmp(ip, everybody, sizeof everybody) == 0) {
        return 1u;
    }
    return ip[0] != 0xFFu && (has_identifier(ip, &short_address) || has_identifier(ip, &extended_address));
}

/* An echo request becomes the answer, in the room for what is sent. */
static void answer_echo(const struct lpc_datagram *datagram, const struct lowpan_ends *ends) {
    uint8_t *const room = lowpan_send_room();
    const uint16_t length = (uint16_t)(datagram->size - IPV6_BYTES);
    if (room == 0 || datagram->upper != IPV6_BYTES || ends->own[0] == 0xFFu || length < UDP_BYTES ||
        lpc_copy(datagram, IPV6_BYTES, room + IPV6_BYTES, length) == 0u || room[IPV6_BYTES] != ECHO_REQUEST ||
        room[IPV6_BYTES + 1u] != 0u) {
        node_counts.other++;
    } else if (lowpan_send_icmp(ends, datagram->mode, length) == LOWPAN_ACCEPTED) {
        node_counts.echoes++;
    }
}

/* The headers that matter are those next to the upper layer; behind a routing or a nested header nothing is ours. */
void lpc_deliver(struct lpc_datagram *datagram) {
    uint8_t ip[IPV6_BYTES], udp[UDP_BYTES];
    struct lowpan_datagram made;
    memset(&made, 0, sizeof made);
    if (lpc_copy(datagram, 0u, ip, sizeof ip) == 0u) {
        node_counts.other++;
        return;
    }
    made.ends.link = datagram->source;
    memcpy(made.ends.other, ip + 8, 16u);
    memcpy(made.ends.own, ip + 24, 16u);
    /* No neighbour speaks for another one on the link; from further away it may have been routed. */
    if (!is_for_us(made.ends.own) || made.ends.other[0] == 0xFFu ||
        (is_link_local(made.ends.other) && !has_identifier(made.ends.other, &datagram->source))) {
        node_counts.strange++;
        return;
    }
    if (ip[6] == ICMP) {
        answer_echo(datagram, &made.ends);
        return;
    }
    if (made.ends.own[0] == 0xFFu) { /* an answer does not come from everybody */
        lowpan_link_local(lowpan_address(), made.ends.own);
    }
    if (ip[6] != UDP || lpc_copy(datagram, IPV6_BYTES, udp, sizeof udp) == 0u) {
        node_counts.other++;
        return;
    }
    made.ends.other_port = half_of(udp);
    made.ends.own_port = half_of(udp + 2);
    made.length = (uint16_t)(half_of(udp + 4) - UDP_BYTES);
    made.mode = datagram->mode;
    made.skipped = IPV6_BYTES + UDP_BYTES;
    made.whole = datagram;
    node_counts.received++;
    lowpan_receive(&made);
}

static void take(uint32_t now, const struct radio_frame *received) {
    struct mac_frame frame;
    if (mac_parse(received->bytes, received->length, &frame) != MAC_OK) {
        return; /* the radio has filtered: this does not happen */
    }
    const struct lpc_meta meta = {received->rssi, frame.sequence, 0u};
    const uint8_t *const payload = received->bytes + frame.payload;
    if (lpc_input(now, &frame.source, &frame.destination, &meta, payload, frame.payload_length) == LPC_WHOLE) {
        (void)lpc_whole(now, &frame.source, &frame.destination, payload, frame.payload_length);
    }
}

uint32_t lowpan_now(void) {
    return clock;
}

uint32_t lowpan_serve(uint32_t now_ms) {
    const enum lowpan_outcome before = lowpan_outcome();
    uint32_t taken = 0u;
    clock = now_ms;
    for (; taken < FRAMES_AT_ONCE; taken++) {
        const struct radio_frame *const frame = radio_receive();
        if (frame == 0) {
            break;
        }
        take(now_ms, frame);
        radio_release();
        lowpan_send_poll(&node_counts);
    }
    lpc_poll(now_ms);
#if LOWPAN_STORES
    lowpan_send_store(now_ms);
#endif
    lowpan_send_poll(&node_counts);
    if (taken != 0u || (before == LOWPAN_SENDING && lowpan_outcome() != LOWPAN_SENDING)) {
        return 0u; /* whoever waits for that is asked first */
    }
    return lpc_in_use().contexts != 0u ? POLL_MS : QUIET_MS;
}

const struct lowpan_counters *lowpan_counters(void) {
    return &node_counts;
}
