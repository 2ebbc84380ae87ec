/*
 * One datagram on its way out: headers, checksum, compression (RFC 6282), fragments with the chain that was agreed
 * with the neighbour, and one frame after the other as the radio gets free. A frame that is never acknowledged ends
 * the datagram: the rest of it would be of no use.
 */
#include "lowpan_send.h"

#include <string.h>

#include "iphc.h"
#if LOWPAN_STORES
#include "lowpan_store.h"
#endif
#include "mac.h"
#include "radio.h"

#define IPV6_BYTES 40u
#define UDP_BYTES 8u
#define UDP 17u
#define ICMP 58u
#define ECHO_REPLY 129u
#define HOP_LIMIT 64u
/* What a first fragment has beside the compressed headers: 0xFF, its header, eight bytes of tag, eight of payload. */
#define FIRST_ROOM (1u + 4u + 8u + 8u)

enum state { QUIET, WHOLE, FRAGMENTS };

static uint8_t datagram[LPC_SIZE_MAX], compressed[IPHC_HEADERS_ROOM], frame[MAC_LARGEST];
static struct lpc_outgoing outgoing;
static struct mac_frame header;
static enum state state;
static enum lowpan_outcome outcome;
static uint32_t begun; /* frames of this datagram that the radio was given */
static uint32_t counters[LPC_PEERS]; /* epoch << 16 | tag: the last one that was used */
static uint16_t tag;                 /* of those who are no peers */
static uint8_t sequence;

void lowpan_send_init(uint32_t seed) {
    state = QUIET;
    outcome = LOWPAN_QUIET;
    tag = (uint16_t)(seed >> 8);
    sequence = (uint8_t)seed;
    memset(counters, 0, sizeof counters);
#if LOWPAN_STORES
    const uint32_t epoch = lowpan_store_begin();
    for (uint32_t i = 0u; i < LPC_PEERS; i++) {
        counters[i] = epoch << 16;
    }
#endif
}

uint8_t *lowpan_payload(void) {
    return state == QUIET ? datagram + IPV6_BYTES + UDP_BYTES : 0;
}

enum lowpan_outcome lowpan_outcome(void) {
    return outcome;
}

uint8_t *lowpan_send_room(void) {
    return state == QUIET ? datagram : 0;
}

static uint32_t peer_of(const struct lpc_address *address) {
    uint32_t peer = 0u;
    while (peer < LPC_PEERS && (lpc_peers[peer].address.kind != address->kind ||
                                memcmp(lpc_peers[peer].address.bytes, address->bytes, sizeof address->bytes) != 0)) {
        peer++;
    }
    return peer;
}

/* The chain for a neighbour and its next number. `mode` is of the request, for those of whom nothing is known. */
static void agree(const struct lpc_address *destination, uint8_t mode) {
    const uint32_t peer = peer_of(destination);
    outgoing.key = 0;
    outgoing.epoch = 0u;
    if (peer < LPC_PEERS && lpc_peers[peer].has_key != 0u) {
        counters[peer]++;
        outgoing.mode = LPC_KEYED;
        outgoing.key = lpc_peers[peer].key;
        outgoing.tag = (uint16_t)counters[peer];
        outgoing.epoch = (uint16_t)(counters[peer] >> 16);
        return;
    }
    outgoing.mode = peer < LPC_PEERS ? lpc_peers[peer].mode_min : mode == LPC_LEGACY ? LPC_MODE_MIN : mode;
    outgoing.mode = outgoing.mode > LPC_CONTENT ? LPC_CONTENT : outgoing.mode;
    outgoing.tag = ++tag;
}

static void put_half(uint8_t *bytes, uint32_t value) {
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

/* What is in `datagram` behind its IPv6 header goes on its way. */
static uint32_t begin(const struct lowpan_ends *ends, uint8_t protocol, uint8_t mode, uint16_t length) {
    const uint16_t size = (uint16_t)(IPV6_BYTES + length);
    struct iphc_link link;
    struct iphc_headers made;
    memset(datagram, 0, IPV6_BYTES);
    datagram[0] = 0x60u;
    put_half(datagram + 4, length);
    datagram[6] = protocol;
    datagram[7] = HOP_LIMIT;
    memcpy(datagram + 8, ends->own, 16u);
    memcpy(datagram + 24, ends->other, 16u);
    uint32_t sum = iphc_sum((uint32_t)length + protocol, datagram + 8, 32u, 0u);
    uint8_t *const field = datagram + IPV6_BYTES + (protocol == UDP ? 6u : 2u);
    put_half(field, 0u);
    sum = iphc_sum(sum, datagram + IPV6_BYTES, length, 0u);
    put_half(field, iphc_udp_checksum(sum));

    memset(&header, 0, sizeof header);
    header.ack_request = 1u;
    header.destination_pan = header.source_pan = LOWPAN_PAN;
    header.destination = ends->link;
    header.source = *lowpan_address();
    agree(&ends->link, mode);
    const uint8_t taken = mac_write_header(&header, frame);
    const uint8_t room = (uint8_t)(MAC_LARGEST - taken);
    link = lpc_link;
    link.source = header.source;
    link.destination = header.destination;
    link.elided = lpc_link.elided != 0u && outgoing.mode != LPC_LEGACY; /* nothing else tells fragments from a mix */
    const uint8_t headers = (uint8_t)(protocol == UDP ? IPV6_BYTES + UDP_BYTES : IPV6_BYTES);
    if (taken == 0u || iphc_compress(&link, datagram, headers, size, compressed, (uint8_t)(room - FIRST_ROOM),
                                     &made) != IPHC_OK) {
        return LOWPAN_NO_ADDRESS;
    }
    outgoing.source = header.source;
    outgoing.destination = header.destination;
    outgoing.header = compressed;
    outgoing.header_length = made.made;
    outgoing.covers = made.consumed;
    outgoing.rest = datagram + made.consumed;
    outgoing.rest_length = (uint16_t)(size - made.consumed);
    /* Whoever has a chain with us wants a tag on each datagram, however short. */
    if (outgoing.mode == LPC_LEGACY && (uint32_t)made.made + outgoing.rest_length <= room) {
        state = WHOLE;
    } else if (lpc_send_begin(&outgoing, room) != 0u) {
        state = FRAGMENTS;
    } else {
        return LOWPAN_NO_ADDRESS;
    }
    begun = 0u;
    outcome = LOWPAN_SENDING;
    return LOWPAN_ACCEPTED;
}

uint32_t lowpan_send_between(const struct lowpan_ends *ends, uint8_t mode, const uint8_t *data, uint16_t length) {
    uint8_t *const room = lowpan_send_room();
    if (room == 0) {
        return LOWPAN_BUSY;
    }
    if (length > LOWPAN_PAYLOAD_MAX) {
        return LOWPAN_TOO_LONG;
    }
    uint8_t *const udp = room + IPV6_BYTES;
    put_half(udp, ends->own_port);
    put_half(udp + 2, ends->other_port);
    put_half(udp + 4, (uint32_t)UDP_BYTES + length);
    memmove(udp + UDP_BYTES, data, length);
    return begin(ends, UDP, mode, (uint16_t)(UDP_BYTES + length));
}

uint32_t lowpan_send(const struct lpc_address *destination, uint16_t source_port, uint16_t destination_port,
                     const uint8_t *data, uint16_t length) {
    struct lowpan_ends ends;
    memset(&ends, 0, sizeof ends);
    ends.link = *destination;
    lowpan_link_local(lowpan_address(), ends.own);
    lowpan_link_local(destination, ends.other);
    ends.own_port = source_port;
    ends.other_port = destination_port;
    return lowpan_send_between(&ends, LPC_LEGACY, data, length);
}

uint32_t lowpan_send_icmp(const struct lowpan_ends *ends, uint8_t mode, uint16_t length) {
    datagram[IPV6_BYTES] = ECHO_REPLY;
    return begin(ends, ICMP, mode, length);
}

#if LOWPAN_STORES
void lowpan_send_store(uint32_t now_ms) {
    uint32_t most = 0u;
    for (uint32_t i = 0u; i < LPC_PEERS; i++) {
        most = counters[i] > most ? counters[i] : most;
    }
    lowpan_store_poll(now_ms, (uint16_t)(most >> 16));
}
#endif

static void finish(enum lowpan_outcome how, struct lowpan_counters *counts) {
    state = QUIET;
    outcome = how;
    if (how == LOWPAN_SENT) {
        counts->sent++;
    } else {
        counts->failed++;
    }
}

void lowpan_send_poll(struct lowpan_counters *counts) {
    const enum radio_outcome radio = radio_outcome();
    if (state == QUIET || radio == RADIO_SENDING) {
        return;
    }
    if (begun != 0u && radio != RADIO_SENT) {
        finish(LOWPAN_FAILED, counts);
        return;
    }
    header.sequence = sequence;
    const uint8_t at = mac_write_header(&header, frame);
    uint8_t length = 0u;
    if (state == FRAGMENTS) {
        length = lpc_send_next(frame + at);
    } else if (begun == 0u) {
        memcpy(frame + at, outgoing.header, outgoing.header_length);
        memcpy(frame + at + outgoing.header_length, outgoing.rest, outgoing.rest_length);
        length = (uint8_t)(outgoing.header_length + outgoing.rest_length);
    }
    if (length == 0u) {
        finish(LOWPAN_SENT, counts);
    } else if (radio_send(frame, (uint8_t)(at + length)) != 0u) {
        sequence++;
        begun++;
        counts->fragments++;
    } else {
        finish(LOWPAN_FAILED, counts);
    }
}
