/*
 * The model that a delivered datagram is compared with. It knows nothing of slots, chains and scores: only what was
 * put on the air, and by whom.
 */
#include "lpc_sent.h"

#include <string.h>

#include "iphc.h"

struct sent {
    uint32_t at;
    struct lpc_address source, destination;
    uint8_t length;
    uint8_t bytes[FRAME_MOST];
};

struct made sent_made[MADE_MOST];
uint32_t sent_made_count;
uint8_t sent_parts[MADE_MOST * 3200u];
static uint32_t parts_used;
static struct sent log_of[SENT_MOST];
static uint32_t logged;

void sent_reset(void) {
    sent_made_count = 0u;
    parts_used = 0u;
    logged = 0u;
}

static uint32_t same(const struct lpc_address *one, const struct lpc_address *other) {
    return one->kind == other->kind && memcmp(one->bytes, other->bytes, 8u) == 0;
}

/* An interface identifier as RFC 6282, 3.2.2 derives it, or another where `fill` says so. */
static void ip_address(const struct lpc_address *from, uint8_t fill, uint8_t *into) {
    memset(into, 0, 16u);
    into[0] = 0xFEu;
    into[1] = 0x80u;
    if (from->kind == LPC_ADDRESS_SHORT) {
        into[11] = 0xFFu;
        into[12] = 0xFEu;
        memcpy(into + 14, from->bytes, 2u);
    } else {
        memcpy(into + 8, from->bytes, 8u);
        into[8] ^= 2u;
    }
    if ((fill & 3u) == 3u) {
        into[1] = fill;
        into[9] ^= fill;
    } else if ((fill & 3u) == 2u) {
        memcpy(into, lpc_link.contexts[fill >> 2 & 3u].prefix, 8u);
    }
}

static void write_datagram(const struct order *order, struct made *it) {
    static const uint16_t ports[4][2] = {{0xF0B1u, 0xF0B2u}, {0xF011u, 7000u}, {7000u, 0xF022u}, {7000u, 7001u}};
    const uint32_t udp = order->form != FORM_PLAIN && order->form != FORM_COMPRESSED;
    uint8_t *const data = it->datagram;
    uint32_t at = 40u;
    data[0] = 0x60u;
    data[1] = (order->fill & 4u) != 0u ? 0x12u : 0u;
    data[2] = 0u;
    data[3] = (order->fill & 4u) != 0u ? order->fill : 0u;
    data[4] = (uint8_t)((order->size - 40u) >> 8);
    data[5] = (uint8_t)(order->size - 40u);
    data[6] = order->form == FORM_OPTIONS ? 60u : udp != 0u ? 17u : 59u;
    data[7] = (order->fill & 8u) != 0u ? 64u : order->fill;
    ip_address(order->source, order->fill, data + 8);
    ip_address(order->destination, (uint8_t)(order->fill >> 2), data + 24);
    if (order->form == FORM_OPTIONS) {
        const uint8_t header[8] = {17u, 0u, 1u, 4u}; /* padding alone */
        memcpy(data + at, header, sizeof header);
        at += 8u;
    }
    const uint32_t udp_at = at;
    if (udp != 0u) {
        const uint16_t *const pair = ports[order->fill >> 6];
        const uint16_t length = (uint16_t)(order->size - at);
        const uint8_t header[8] = {(uint8_t)(pair[0] >> 8), (uint8_t)pair[0],      (uint8_t)(pair[1] >> 8),
                                   (uint8_t)pair[1],        (uint8_t)(length >> 8), (uint8_t)length};
        memcpy(data + at, header, sizeof header);
        at += 8u;
    }
    /* No two of a run are the same. */
    memset(data + at, order->fill, order->size - at);
    for (uint32_t i = at; i < order->size; i += 7u) {
        data[i] = (uint8_t)(i + sent_made_count * 29u);
    }
    if (udp != 0u) {
        const uint32_t start = iphc_udp_start(data, 0u, (uint8_t)udp_at, order->size);
        const uint16_t sum = iphc_udp_checksum(iphc_sum(start, data + at, (uint16_t)(order->size - at), 0u));
        data[udp_at + 6u] = (uint8_t)(sum >> 8);
        data[udp_at + 7u] = (uint8_t)(order->form == FORM_WRONG_SUM ? sum ^ 1u : sum);
    }
    it->right = order->form != FORM_WRONG_SUM;
}

struct made *sent_make(const struct order *order) {
    uint8_t header[IPHC_HEADERS_ROOM] = {0x41u};
    struct iphc_link link = lpc_link;
    struct iphc_headers compressed = {0u, 1u, 0u, 0u, 0u};
    struct lpc_outgoing out;
    if (sent_made_count == MADE_MOST) {
        return 0;
    }
    struct made *const it = sent_made + sent_made_count;
    it->source = *order->source;
    it->destination = *order->destination;
    it->size = order->size;
    it->tag = (uint16_t)order->counter;
    it->mode = order->mode;
    it->count = it->next = it->delivered = 0u;
    write_datagram(order, it);
    link.source = *order->source;
    link.destination = *order->destination;
    link.elided = order->form == FORM_ELIDED;
    if (order->form != FORM_PLAIN && order->form != FORM_PLAIN_UDP) {
        const uint8_t known = (uint8_t)(order->size < 56u ? order->size : 56u);
        REQUIRE(iphc_compress(&link, it->datagram, known, order->size, header, sizeof header, &compressed) == IPHC_OK);
    }
    memset(&out, 0, sizeof out);
    out.source = *order->source;
    out.destination = *order->destination;
    out.header = header;
    out.header_length = compressed.made;
    out.covers = compressed.consumed;
    out.rest = it->datagram + compressed.consumed;
    out.rest_length = (uint16_t)(order->size - compressed.consumed);
    out.tag = it->tag;
    out.epoch = (uint16_t)(order->counter >> 16);
    out.mode = order->mode;
    out.key = order->key;
    if (lpc_send_begin(&out, order->room) == 0u) {
        return 0;
    }
    for (uint32_t i = 0u; i < PARTS_MOST && parts_used + 128u <= sizeof sent_parts; i++) {
        const uint8_t length = lpc_send_next(sent_parts + parts_used);
        if (length == 0u) {
            break;
        }
        REQUIRE(length <= order->room);
        it->starts[i] = (uint16_t)parts_used;
        it->lengths[i] = length;
        parts_used += length;
        it->count = (uint8_t)(i + 1u);
    }
    sent_made_count++;
    return it;
}

uint32_t sent_log(uint32_t now, const struct lpc_address *source, const struct lpc_address *destination,
                  const uint8_t *bytes, uint32_t length) {
    if (logged == SENT_MOST) {
        return 0u;
    }
    struct sent *const it = log_of + logged++;
    it->at = now;
    it->source = *source;
    it->destination = *destination;
    it->length = (uint8_t)length;
    memcpy(it->bytes, bytes, length);
    return 1u;
}

static uint32_t pairs(uint32_t sum, const uint8_t *bytes, uint32_t length) {
    for (uint32_t i = 0u; i < length; i++) {
        sum += (i & 1u) != 0u ? bytes[i] : (uint32_t)bytes[i] << 8;
    }
    return sum;
}

/* The Internet checksum over an upper layer at `at`: 0xFFFF if it is right. */
static uint32_t sum_of(const uint8_t *data, uint32_t size, uint32_t at, uint32_t protocol) {
    const uint32_t sum = pairs(pairs(size - at + protocol, data + 8, 32u), data + at, size - at);
    return (sum % 0xFFFFu == 0u && sum != 0u) ? 0xFFFFu : sum % 0xFFFFu;
}

/*
 * What the content of a first fragment, or of a frame with size 0, stands for; how much that is, 0 if it stands for
 * nothing. `elided`: it may be all of a datagram, whose checksum is left out.
 */
static uint32_t expand(const struct sent *it, uint32_t from, uint16_t size, uint32_t elided, uint8_t *out) {
    const uint8_t *const content = it->bytes + from;
    struct iphc_link link = lpc_link;
    struct iphc_headers headers;
    link.source = it->source;
    link.destination = it->destination;
    link.elided = elided != 0u;
    if (it->length <= from || iphc_decompress(&link, content, (uint8_t)(it->length - from), size, out,
                                              IPHC_HEADERS_ROOM, &headers) != IPHC_OK) {
        return 0u;
    }
    const uint32_t rest = it->length - from - headers.consumed;
    memcpy(out + headers.made, content + headers.consumed, rest);
    if (headers.elided != 0u && headers.ip == 0u) {
        const uint32_t sum = 0xFFFFu - sum_of(out, headers.made + rest, headers.udp, 17u);
        out[headers.udp + 6u] = (uint8_t)((sum == 0u ? 0xFFFFu : sum) >> 8);
        out[headers.udp + 7u] = (uint8_t)(sum == 0u ? 0xFFu : sum);
    }
    return headers.made + rest;
}

static uint32_t key_of(const uint8_t *fragment, uint16_t size, uint16_t tag, uint8_t form) {
    return fragment[0] == (form | size >> 8) && fragment[1] == (size & 0xFFu) && fragment[2] == tag >> 8 &&
           fragment[3] == (tag & 0xFFu);
}

/* Each byte came from that source in a fragment of that datagram, at that place, within the longest time. */
static void legacy(uint32_t now, const struct lpc_datagram *datagram, const uint8_t *whole) {
    static uint8_t vouched[LPC_SIZE_MAX];
    uint8_t first[IPHC_HEADERS_ROOM + FRAME_MOST];
    memset(vouched, 0, sizeof vouched);
    for (uint32_t i = 0u; i < logged; i++) {
        const struct sent *const it = log_of + i;
        const uint8_t *bytes = it->bytes + 5u;
        uint32_t start, length;
        if (it->length < 5u || now - it->at >= LPC_TOTAL_MS || !same(&it->source, &datagram->source) ||
            !same(&it->destination, &datagram->destination)) {
            continue;
        }
        if (key_of(it->bytes, datagram->size, datagram->tag, 0xC0u)) {
            length = expand(it, 4u, datagram->size, 0u, first);
            bytes = first;
            start = 0u;
        } else if (key_of(it->bytes, datagram->size, datagram->tag, 0xE0u)) {
            length = it->length - 5u;
            start = it->bytes[4] * 8u;
        } else {
            continue;
        }
        for (uint32_t k = 0u; k < length && start + k < datagram->size; k++) {
            vouched[start + k] |= bytes[k] == whole[start + k];
        }
    }
    for (uint32_t i = 0u; i < datagram->size; i++) {
        REQUIRE(vouched[i] != 0u);
    }
}

static uint32_t sent_first(const struct lpc_datagram *datagram, const struct made *made) {
    for (uint32_t i = 0u; i < logged; i++) {
        const struct sent *const it = log_of + i;
        if (it->length == made->lengths[0] && same(&it->source, &datagram->source) &&
            memcmp(it->bytes, sent_parts + made->starts[0], it->length) == 0) {
            return 1u;
        }
    }
    return 0u;
}

/* A datagram that was made so; one in a content chain may be sent by others, from its first fragment on. */
static void chained(const struct lpc_datagram *datagram, const uint8_t *whole) {
    uint8_t alone[IPHC_HEADERS_ROOM + FRAME_MOST];
    for (uint32_t i = 0u; i < sent_made_count; i++) {
        struct made *const it = sent_made + i;
        if (it->right == 0u || it->mode != datagram->mode || it->size != datagram->size || it->tag != datagram->tag ||
            memcmp(it->datagram, whole, it->size) != 0) {
            continue;
        }
        if (datagram->mode == LPC_KEYED ? same(&it->source, &datagram->source) &&
                                              same(&it->destination, &datagram->destination) && it->delivered == 0u
                                        : sent_first(datagram, it)) {
            REQUIRE(it->right != 0u);
            it->delivered = 1u;
            return;
        }
    }
    /* In one fragment there is no chain: then it is the frame that just came. */
    const struct sent *const last = log_of + logged - 1u;
    REQUIRE(datagram->mode == LPC_CONTENT && last->length > 5u && last->bytes[0] == 0xFFu);
    REQUIRE(key_of(last->bytes + 1, datagram->size, datagram->tag, 0xC0u) && same(&last->source, &datagram->source));
    REQUIRE(expand(last, 5u, datagram->size, lpc_link.elided, alone) == datagram->size);
    REQUIRE(memcmp(alone, whole, datagram->size) == 0);
}

/* A frame that holds a datagram is the one that just came. */
static void whole_frame(const struct lpc_datagram *datagram, const uint8_t *whole) {
    uint8_t alone[IPHC_HEADERS_ROOM + FRAME_MOST];
    const struct sent *const last = log_of + logged - 1u;
    REQUIRE(same(&last->source, &datagram->source) && same(&last->destination, &datagram->destination));
    REQUIRE(expand(last, 0u, 0u, lpc_link.elided, alone) == datagram->size && datagram->mode == LPC_LEGACY);
    REQUIRE(memcmp(alone, whole, datagram->size) == 0);
}

void sent_check(uint32_t now, struct lpc_datagram *datagram, uint32_t one_frame) {
    static uint8_t whole[LPC_SIZE_MAX + 256u], copied[LPC_SIZE_MAX];
    uint32_t at = datagram->header_length;
    uint8_t length = 0u;
    const uint8_t *piece;
    REQUIRE(datagram->size >= LPC_SIZE_MIN && datagram->size <= LPC_SIZE_MAX && at >= 40u && at <= datagram->size);
    REQUIRE(lpc_copy(datagram, 0u, copied, datagram->size) != 0u);
    memcpy(whole, datagram->header, at);
    while ((piece = lpc_piece(datagram, &length)) != 0) {
        REQUIRE(at + length <= datagram->size);
        memcpy(whole + at, piece, length);
        at += length;
    }
    REQUIRE(at == datagram->size && memcmp(copied, whole, at) == 0);
    REQUIRE(whole[0] >> 4 == 6u && ((uint32_t)whole[4] << 8 | whole[5]) == at - 40u);
    const uint32_t upper = whole[6] == 60u && at > 48u ? 40u + 8u * (whole[41] + 1u) : 40u;
    const uint32_t protocol = upper != 40u ? whole[40] : whole[6];
    if (protocol == 17u || protocol == 6u || protocol == 58u) {
        REQUIRE(upper < at && datagram->upper == upper && datagram->protocol == protocol);
        REQUIRE(sum_of(whole, at, upper, protocol) == 0xFFFFu);
    }
    if (one_frame != 0u) {
        whole_frame(datagram, whole);
    } else if (datagram->mode == LPC_LEGACY) {
        legacy(now, datagram, whole);
    } else {
        chained(datagram, whole);
    }
}
