/*
 * One frame: what it is, whether it is right, and only then memory for it. The order of the checks: length and
 * dispatch, size, repeats of what is here or finished, the chain's tag, the block, memory.
 */
#include "lpc_chain.h"
#include "lpc_contexts.h"
#include "lpc_datagram.h"
#include "lpc_done.h"
#include "lpc_features.h"
#include "lpc_first.h"
#include "lpc_replay.h"
#include "lpc_score.h"

#define CHAINED 0xFFu /* RFC 8025: page 15 */
#define FIRST 0xC0u
#define LATER 0xE0u
#define HASH 8u

_Static_assert(LPC_SLOTS >= 1u && LPC_SLOTS < 255u && LPC_CONTEXTS >= 1u && LPC_CONTEXTS < 255u, "sizes");
_Static_assert(LPC_SLOT_BYTES >= 112u && LPC_SLOT_BYTES <= 248u, "a slot holds a fragment");
_Static_assert(LPC_TOTAL_MS <= 60000u && LPC_NEIGHBOURS >= 1u && LPC_DONE >= 1u && LPC_PEERS >= 1u, "sizes");

void lpc_init(void) {
    lpc_replay_init();
    lpc_contexts_init();
    lpc_score_init();
    lpc_features_init();
}

void lpc_poll(uint32_t now_ms) {
    lpc_expire(now_ms);
}

static uint32_t peer_of(const struct lpc_address *source) {
    uint32_t peer = 0u;
    while (peer < LPC_PEERS && !lpc_same_address(&lpc_peers[peer].address, source)) {
        peer++;
    }
    return peer;
}

/* Broken by this frame, as far as frames of that mode prove anything. Of two that have one key, one is not its
 * source's, so that is no evidence. */
static uint32_t broken(uint32_t now, struct lpc_context *context, uint32_t verdict) {
    if (context->mode == LPC_LEGACY) {
        if (lpc_context_twin(context) == 0) {
            lpc_score_hard(now, &context->source, 0u);
        }
        lpc_context_free(context);
    }
    return verdict;
}

static uint32_t first(uint32_t now, struct lpc_context *like, uint32_t peer, const uint8_t *fragment, uint8_t length) {
    static const uint8_t trailers[3] = {0u, HASH, LPC_TAG_FIRST_BYTES};
    const uint8_t only_trailer = like->mode == LPC_KEYED ? LPC_TAG_LAST_BYTES : 0u;
    const uint8_t *const content = fragment + LPC_HEADER_FIRST;
    const uint32_t key = like->mode == LPC_KEYED;
    uint8_t trailer = trailers[like->mode];
    const uint32_t shorter = trailer > only_trailer ? only_trailer : trailer;
    struct iphc_headers measured;
    uint32_t link = LPC_LINK_FIRST;

    if (length < LPC_HEADER_FIRST + 2u + shorter) {
        return LPC_BAD_LENGTH;
    }
    const uint32_t why =
        lpc_first_measure(like, content, (uint8_t)(length - LPC_HEADER_FIRST - shorter), &measured);
    if (why != LPC_TAKEN) {
        return why;
    }
    if (length >= LPC_HEADER_FIRST + 2u + only_trailer &&
        lpc_first_covers(&measured, (uint8_t)(length - LPC_HEADER_FIRST - only_trailer)) == like->size) {
        link = LPC_LINK_ONLY;
        trailer = only_trailer;
    } else if (length < LPC_HEADER_FIRST + 2u + trailer) {
        return LPC_BAD_LENGTH;
    }
    const uint8_t content_length = (uint8_t)(length - LPC_HEADER_FIRST - trailer);
    const uint32_t note = like->mode == LPC_CONTENT && link != LPC_LINK_ONLY ? LPC_NOTE_BYTES : 0u;
    like->covers = lpc_first_covers(&measured, content_length);
    if (content_length > LPC_SLOT_BYTES - note || like->covers == 0u) {
        return LPC_BAD_LENGTH;
    }
    if (link != LPC_LINK_ONLY && like->covers >= like->size) {
        return LPC_OVERRUN;
    }
    if (link != LPC_LINK_ONLY && like->covers % 8u != 0u) {
        return LPC_MISALIGNED;
    }
    if (like->mode == LPC_CONTENT && link != LPC_LINK_ONLY) {
        like->chain = lpc_double_at(fragment + length - HASH);
    }
    struct lpc_context *context = lpc_context_find(like, 0);
    for (; context != 0; context = lpc_context_find(like, context)) {
        /* A content chain is known by the hash that it begins with, too. */
        const uint32_t known = like->mode != LPC_CONTENT || context->have != context->covers;
        if (lpc_context_first_is(context, content, content_length) && (known != 0u || context->chain == like->chain)) {
            return LPC_DUPLICATE;
        }
        if (key != 0u) {
            return LPC_TAG_FIRST;
        }
    }
    if (key == 0u && lpc_finished(like)) {
        return LPC_DONE_DUPLICATE;
    }
    if (key != 0u) {
        const uint32_t verdict = lpc_replay_first(peer, like, link, fragment, (uint8_t)(length - trailer));
        if (verdict != LPC_TAKEN) {
            return verdict;
        }
    }
    if (lpc_context_admit(now, like, lpc_score_blocked(&like->source, key)) == 0u) {
        return LPC_BLOCKED;
    }
    lpc_features_rank(now, like);
    context = lpc_context_open(now, like, content, content_length);
    if (context == 0) {
        return LPC_NO_SLOT;
    }
    if (link == LPC_LINK_ONLY) {
        return lpc_context_finish(now, context);
    }
    if (like->mode == LPC_CONTENT) {
        lpc_put_double(lpc_context_note(context), lpc_content_first(fragment, (uint8_t)(length - trailer)));
    }
    return LPC_TAKEN;
}

static uint32_t store(uint32_t now, struct lpc_context *context, uint16_t offset, const uint8_t *payload,
                      uint8_t length) {
    if (lpc_context_store(now, context, offset, payload, length) == 0u) {
        return LPC_NO_SLOT;
    }
    if (context->have == context->size) {
        return lpc_context_finish(now, context);
    }
    return LPC_TAKEN;
}

/* Whether it is the fragment that the content chain promised; the chain is moved on. Where it ends may change. */
static uint32_t follows(struct lpc_context *context, const uint8_t *fragment, uint8_t *length, uint32_t last) {
    const uint8_t *const payload = fragment + LPC_HEADER_LATER, *next = last != 0u ? 0 : payload + *length;
    const uint8_t *const before = context->have == context->covers ? lpc_context_note(context) : 0;
    const uint8_t all = (uint8_t)(LPC_HEADER_LATER + *length + (last != 0u ? 0u : HASH));
    uint64_t hash = lpc_content_hash(fragment, all, last, before);
    if (hash != context->chain && last != 0u && *length > HASH && *length % 8u == 0u) {
        /* As long as the last one, but its end is the hash of eight bytes that are still to come. */
        *length = (uint8_t)(*length - HASH);
        next = payload + *length;
        hash = lpc_content_hash(fragment, all, 0u, before);
    }
    if (hash != context->chain) {
        return 0u;
    }
    context->chain = next == 0 ? 0u : lpc_double_at(next);
    return 1u;
}

/* A later fragment: its payload of `length` bytes, and what trails. */
struct later {
    const uint8_t *fragment;
    uint16_t offset;
    uint8_t length, trailer, last;
};

static uint32_t goes_on(uint32_t now, struct lpc_context *context, uint32_t peer, const struct later *it) {
    uint8_t length = it->length;
    const uint8_t *const payload = it->fragment + LPC_HEADER_LATER;
    if (it->last == 0u && (uint32_t)it->offset + length >= context->size) {
        return broken(now, context, LPC_OVERRUN);
    }
    if (it->last == 0u && length % 8u != 0u) {
        return broken(now, context, LPC_MISALIGNED);
    }
    if (it->offset < context->covers) {
        return broken(now, context, LPC_OVERLAP);
    }
    const enum lpc_relation relation = lpc_context_compare(context, it->offset, payload, length);
    if (relation == LPC_SAME) {
        return LPC_DUPLICATE;
    }
    if (context->mode == LPC_LEGACY) {
        if (relation != LPC_NEW) {
            return broken(now, context, relation == LPC_PARTLY ? LPC_OVERLAP : LPC_CONFLICT);
        }
        return store(now, context, it->offset, payload, length);
    }
    if (it->offset != context->have) {
        return it->offset < context->have ? LPC_TAG_LATER : LPC_AHEAD;
    }
    if (context->mode == LPC_KEYED) {
        const uint64_t value =
            lpc_chain_later(lpc_peers[peer].key, context->chain, it->last != 0u ? LPC_LINK_LAST : LPC_LINK_MIDDLE,
                            it->fragment, (uint8_t)(LPC_HEADER_LATER + length));
        if (!lpc_chain_fits(value, payload + length, it->trailer)) {
            return LPC_TAG_LATER;
        }
        context->chain = value;
    } else if (!follows(context, it->fragment, &length, it->last)) {
        return LPC_TAG_LATER;
    }
    return store(now, context, it->offset, payload, length);
}

static uint32_t later(uint32_t now, const struct lpc_context *like, uint32_t peer, const uint8_t *fragment,
                      uint8_t length) {
    static const uint8_t trailers[3] = {0u, HASH, LPC_TAG_MIDDLE_BYTES};
    const uint8_t last_trailer = like->mode == LPC_KEYED ? LPC_TAG_LAST_BYTES : 0u;
    uint8_t trailer = trailers[like->mode];

    if (length < LPC_HEADER_LATER + 1u + (trailer > last_trailer ? last_trailer : trailer)) {
        return LPC_BAD_LENGTH;
    }
    const uint16_t offset = (uint16_t)(fragment[4] * 8u);
    const uint32_t last = (uint32_t)offset + length == (uint32_t)like->size + LPC_HEADER_LATER + last_trailer;
    trailer = last != 0u ? last_trailer : trailer;
    if (length < LPC_HEADER_LATER + 1u + trailer || length > LPC_SLOT_BYTES + LPC_HEADER_LATER + trailer) {
        return LPC_BAD_LENGTH;
    }
    struct lpc_context *const one = lpc_context_find(like, 0);
    if (one == 0) {
        return lpc_finished(like) ? LPC_DONE_DUPLICATE : LPC_ORPHAN;
    }
    struct lpc_context *const two = like->mode == LPC_KEYED ? 0 : lpc_context_find(like, one);
    const struct later it = {fragment, offset, (uint8_t)(length - LPC_HEADER_LATER - trailer), trailer, (uint8_t)last};
    const uint32_t verdict = goes_on(now, one, peer, &it);
    if (two == 0 || two->size == 0u) {
        return verdict; /* where memory was short, the first one may have taken that of the second */
    }
    if (verdict == LPC_DELIVERED) {
        lpc_context_free(two);
        return verdict;
    }
    const uint32_t other = goes_on(now, two, peer, &it);
    if (other == LPC_DELIVERED && one->size != 0u) {
        lpc_context_free(one);
    }
    return other == LPC_DELIVERED || other < verdict ? other : verdict;
}

static uint32_t fragment_of(uint32_t now, const struct lpc_address *source, const struct lpc_address *destination,
                            const uint8_t *fragment, uint8_t length, uint32_t chained) {
    const uint32_t peer = peer_of(source), known = peer < LPC_PEERS;
    struct lpc_context like;
    const uint32_t is_first = (fragment[0] & 0xF8u) == FIRST;

    lpc_count(is_first ? LPC_RX_FIRST : LPC_RX_LATER);
    if (length < LPC_HEADER_FIRST + 1u) {
        return LPC_BAD_LENGTH;
    }
    like.chain = 0u;
    like.sum = 0u;
    like.rank = like.level = 0u;
    like.source = *source;
    like.destination = *destination;
    like.size = (uint16_t)((fragment[0] & 7u) << 8 | fragment[1]);
    like.tag = (uint16_t)(fragment[2] << 8 | fragment[3]);
    like.mode = chained == 0u ? LPC_LEGACY : known && lpc_peers[peer].has_key != 0u ? LPC_KEYED : LPC_CONTENT;
    if (like.mode < (known ? lpc_peers[peer].mode_min : LPC_MODE_MIN)) {
        return LPC_DOWNGRADE;
    }
    if (like.size < LPC_SIZE_MIN || like.size > LPC_SIZE_MAX) {
        return LPC_BAD_SIZE;
    }
    return is_first ? first(now, &like, peer, fragment, length) : later(now, &like, peer, fragment, length);
}

static uint32_t is_whole(uint8_t dispatch) {
    return dispatch == 0x41u || (dispatch & 0xE0u) == 0x60u;
}

static uint32_t judged(uint32_t now, const struct lpc_address *source, const struct lpc_address *destination,
                       const uint8_t *payload, uint8_t length) {
    if (length == 0u || (length == 1u && payload[0] == CHAINED)) {
        return LPC_BAD_LENGTH;
    }
    const uint32_t chained = payload[0] == CHAINED;
    const uint8_t form = payload[chained];
    if ((form & 0xF8u) != FIRST && (form & 0xF8u) != LATER) {
        return chained == 0u && is_whole(form) != 0u ? LPC_WHOLE : LPC_BAD_DISPATCH;
    }
    if (source->kind == 0u || destination->kind == 0u) {
        return LPC_NO_ADDRESS;
    }
    return fragment_of(now, source, destination, payload + chained, (uint8_t)(length - chained), chained);
}

uint32_t lpc_input(uint32_t now_ms, const struct lpc_address *source, const struct lpc_address *destination,
                   const struct lpc_meta *meta, const uint8_t *payload, uint8_t length) {
    lpc_features_frame(meta);
    lpc_expire(now_ms);
    const uint32_t verdict = judged(now_ms, source, destination, payload, length);
    lpc_count(verdict);
    return verdict;
}

static uint32_t whole(const struct lpc_address *source, const struct lpc_address *destination, const uint8_t *payload,
                      uint8_t length) {
    struct lpc_datagram datagram;
    uint8_t headers[IPHC_HEADERS_ROOM];
    if (length == 0u) {
        return LPC_BAD_LENGTH;
    }
    if (is_whole(payload[0]) == 0u) {
        return LPC_BAD_DISPATCH;
    }
    if (source->kind == 0u || destination->kind == 0u) {
        return LPC_NO_ADDRESS;
    }
    const uint32_t peer = peer_of(source);
    if ((peer < LPC_PEERS ? lpc_peers[peer].mode_min : LPC_MODE_MIN) != LPC_LEGACY) {
        return LPC_DOWNGRADE;
    }
    datagram.source = *source;
    datagram.destination = *destination;
    datagram.tag = 0u;
    datagram.mode = LPC_LEGACY;
    datagram.slot = LPC_SLOTS;
    const uint32_t verdict = lpc_datagram_check(&datagram, payload, length, 1u, 0u, headers);
    if (verdict == LPC_DELIVERED) {
        lpc_deliver(&datagram);
    }
    return verdict;
}

uint32_t lpc_whole(uint32_t now_ms, const struct lpc_address *source, const struct lpc_address *destination,
                   const uint8_t *payload, uint8_t length) {
    lpc_expire(now_ms);
    const uint32_t verdict = whole(source, destination, payload, length);
    lpc_count(verdict);
    return verdict;
}
