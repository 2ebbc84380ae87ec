/*
 * Fragments of one datagram in the three modes: see lpc.h. The hashes of the content chain are made backwards for
 * each fragment anew: a table of them would cost memory for the whole time that the datagram is under way.
 */
#include <string.h>

#include "lpc_chain.h"
#include "lpc_words.h"

#define ROOM_MAX 116u /* of a frame with short addresses; longer ones do not fit a slot */
#define FRAGMENTS 161u

LPC_STATE static struct lpc_outgoing out;
LPC_STATE static uint64_t chain;
LPC_STATE static uint16_t sent; /* bytes of out.rest */
LPC_STATE static uint8_t room, begun, finished;

_Static_assert(sizeof(void *) != 4u || sizeof out + sizeof chain + sizeof sent + 3u == LPC_SEND_BYTES, "lpc_config.h");

static const uint8_t first_trailers[3] = {0u, 8u, LPC_TAG_FIRST_BYTES};
static const uint8_t middle_trailers[3] = {0u, 8u, LPC_TAG_MIDDLE_BYTES};
static const uint8_t last_trailers[3] = {0u, 0u, LPC_TAG_LAST_BYTES};

/* Bytes of a fragment with that header for what follows, the trailer taken away. */
static uint32_t space(uint32_t header, uint32_t trailer) {
    const uint32_t taken = header + trailer + (out.mode != LPC_LEGACY);
    return room > taken ? room - taken : 0u;
}

static uint32_t alone(void) {
    return (uint32_t)out.header_length + out.rest_length <= space(LPC_HEADER_FIRST, last_trailers[out.mode]);
}

/* Bytes of the datagram that a first fragment of several covers: a multiple of 8, and some are left for the last. */
static uint32_t first_end(void) {
    const uint32_t size = (uint32_t)out.covers + out.rest_length;
    const uint32_t fits = space(LPC_HEADER_FIRST, first_trailers[out.mode]) - out.header_length;
    return (out.covers + fits < size ? out.covers + fits : size - 1u) / 8u * 8u;
}

/* Bytes of the rest in the first fragment. */
static uint32_t in_first(void) {
    return alone() ? out.rest_length : first_end() - out.covers;
}

/* And in a later one, with `left` bytes to go. */
static uint32_t in_later(uint32_t left) {
    if (left <= space(LPC_HEADER_LATER, last_trailers[out.mode])) {
        return left;
    }
    const uint32_t fits = space(LPC_HEADER_LATER, middle_trailers[out.mode]);
    return (fits < left ? fits : left - 1u) / 8u * 8u;
}

static void put_header(uint8_t *fragment, uint32_t dispatch) {
    const uint32_t size = (uint32_t)out.covers + out.rest_length;
    fragment[0] = (uint8_t)(dispatch | size >> 8);
    fragment[1] = (uint8_t)(size & 0xFFu);
    fragment[2] = (uint8_t)(out.tag >> 8);
    fragment[3] = (uint8_t)(out.tag & 0xFFu);
}

/* The first fragment without its trailer; its length. */
static uint32_t put_first(uint8_t *fragment) {
    const uint32_t part = in_first();
    put_header(fragment, 0xC0u);
    memcpy(fragment + LPC_HEADER_FIRST, out.header, out.header_length);
    memcpy(fragment + LPC_HEADER_FIRST + out.header_length, out.rest, part);
    return LPC_HEADER_FIRST + out.header_length + part;
}

/* The one that begins at byte `start` of the rest, with so many. */
static uint32_t put_later(uint8_t *fragment, uint32_t start, uint32_t part) {
    put_header(fragment, 0xE0u);
    fragment[4] = (uint8_t)((out.covers + start) / 8u);
    memcpy(fragment + LPC_HEADER_LATER, out.rest + start, part);
    return LPC_HEADER_LATER + part;
}

/* The content chain's hash of the fragment at byte `from` of the rest. It and all that follow are made in place. */
static uint64_t hash_from(uint32_t from, uint8_t *fragment) {
    uint32_t at = from, count = 0u;
    uint64_t hash = 0u;
    for (; at < out.rest_length && count < FRAGMENTS; count++) {
        at += in_later(out.rest_length - at);
    }
    for (; count != 0u; count--) {
        uint8_t first[LPC_HASH_BYTES];
        uint32_t start = from;
        for (uint32_t i = 1u; i < count; i++) {
            start += in_later(out.rest_length - start);
        }
        const uint32_t part = in_later(out.rest_length - start), last = start + part == out.rest_length;
        const uint32_t second = start == in_first();
        if (second != 0u) {
            lpc_put_double(first, lpc_content_first(fragment, (uint8_t)put_first(fragment)));
        }
        uint32_t length = put_later(fragment, start, part);
        if (last == 0u) {
            lpc_put_double(fragment + length, hash);
            length += LPC_HASH_BYTES;
        }
        hash = lpc_content_hash(fragment, (uint8_t)length, last, second != 0u ? first : 0);
    }
    return hash;
}

uint32_t lpc_send_begin(const struct lpc_outgoing *outgoing, uint8_t room_of_frame) {
    out = *outgoing;
    room = room_of_frame < ROOM_MAX ? room_of_frame : (uint8_t)ROOM_MAX;
    begun = 0u;
    finished = 1u;
    sent = 0u;
    const uint32_t size = (uint32_t)out.covers + out.rest_length;
    if (out.mode > LPC_KEYED || (out.mode == LPC_KEYED && out.key == 0) || size < LPC_SIZE_MIN || size > LPC_SIZE_MAX) {
        return 0u;
    }
    if (!alone()) {
        if (space(LPC_HEADER_FIRST, first_trailers[out.mode]) < out.header_length || first_end() < out.covers ||
            first_end() < 8u || space(LPC_HEADER_LATER, middle_trailers[out.mode]) < 8u) {
            return 0u;
        }
    }
    finished = 0u;
    return 1u;
}

uint8_t lpc_send_next(uint8_t *frame) {
    const uint32_t chained = out.mode != LPC_LEGACY, is_first = begun == 0u;
    uint8_t *const fragment = frame + chained;
    if (finished != 0u) {
        return 0u;
    }
    const uint32_t start = sent, part = is_first != 0u ? in_first() : in_later((uint32_t)(out.rest_length - sent));
    const uint32_t last = is_first != 0u ? alone() : start + part == out.rest_length;
    const uint32_t trailer =
        last != 0u ? last_trailers[out.mode] : (is_first != 0u ? first_trailers : middle_trailers)[out.mode];
    if (out.mode == LPC_CONTENT && last == 0u) {
        chain = hash_from(start + part, fragment);
    }
    frame[0] = 0xFFu;
    const uint32_t length = is_first != 0u ? put_first(fragment) : put_later(fragment, start, part);
    if (out.mode == LPC_KEYED) {
        chain = is_first != 0u
                    ? lpc_chain_first(out.key, &out.source, &out.destination, (uint32_t)out.epoch << 16 | out.tag,
                                      last != 0u ? LPC_LINK_ONLY : LPC_LINK_FIRST, fragment, (uint8_t)length)
                    : lpc_chain_later(out.key, chain, last != 0u ? LPC_LINK_LAST : LPC_LINK_MIDDLE, fragment,
                                      (uint8_t)length);
    }
    for (uint32_t i = 0u; i < trailer; i++) {
        fragment[length + i] = (uint8_t)(chain >> (8u * i));
    }
    begun = 1u;
    sent = (uint16_t)(start + part);
    finished = (uint8_t)last;
    return (uint8_t)(length + trailer + chained);
}
