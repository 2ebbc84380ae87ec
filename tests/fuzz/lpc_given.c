/*
 * What tests/fuzz/lpc_frames.c gives to the receiver, and what must hold before and after each frame, whatever it is.
 */
#include "lpc_given.h"

#include <string.h>

#include "lpc_features.h"

uint32_t given_now, given_most;
static uint32_t inputs, delivered, frames, one_frame;
static struct {
    struct lpc_address source, destination;
    uint8_t bytes[FRAME_MOST];
    uint8_t length;
    uint32_t at, verdict;
} last;

void lpc_deliver(struct lpc_datagram *datagram) {
    delivered++;
    sent_check(given_now, datagram, one_frame);
}

const uint8_t *pair_key(const struct lpc_address *source) {
    for (uint32_t i = 0u; i < LPC_PEERS; i++) {
        if (lpc_peers[i].has_key != 0u && lpc_peers[i].address.kind == source->kind &&
            memcmp(lpc_peers[i].address.bytes, source->bytes, 8u) == 0) {
            return lpc_peers[i].key;
        }
    }
    return 0;
}

/* No model, but something that depends on all that a model would be told. */
uint8_t lpc_rank(const int8_t features[LPC_FEATURES]) {
    uint32_t sum = 0u;
    for (uint32_t i = 0u; i < LPC_FEATURES; i++) {
        REQUIRE(features[i] >= 0);
        sum = sum * 31u + (uint8_t)features[i];
    }
    return (uint8_t)(sum >> 3);
}

struct look {
    struct lpc_use use;
    uint8_t scores[2];
};

static struct look look(const struct lpc_address *source) {
    struct look seen;
    seen.use = lpc_in_use();
    seen.scores[0] = lpc_score(source, 0u);
    seen.scores[1] = lpc_score(source, 1u);
    return seen;
}

/* Each slot in use is in the list of one context; who is blocked has earned it. */
void check_lists(const struct lpc_use *use) {
    uint32_t slots = 0u, contexts = 0u;
    struct lpc_holding holding;
    struct lpc_neighbour neighbour;
    for (uint32_t i = 0u; i <= LPC_NEIGHBOURS; i++) {
        if (lpc_neighbour(i, &neighbour) != 0u) {
            REQUIRE(neighbour.score >= 32u || neighbour.blocked != 0u);
            REQUIRE(neighbour.score < 48u || neighbour.blocked == 0u);
        }
    }
    for (uint32_t i = 0u; i < LPC_CONTEXTS; i++) {
        if (lpc_held(i, &holding) != 0u) {
            REQUIRE(holding.slots != 0u);
            slots += holding.slots;
            contexts++;
        }
    }
    REQUIRE(slots == use->slots && contexts == use->contexts);
}

/* Whether a datagram has begun twice: what repeats the one may end the other. */
static uint32_t begun_twice(void) {
    struct lpc_holding one, other;
    for (uint32_t i = 0u; i < LPC_CONTEXTS; i++) {
        for (uint32_t k = 0u; k < i && lpc_held(i, &one) != 0u; k++) {
            if (lpc_held(k, &other) != 0u && one.tag == other.tag && one.size == other.size && one.mode == other.mode) {
                return 1u;
            }
        }
    }
    return 0u;
}

/* Where nothing proves the source, what of it stands still goes even if it is blocked and has too much under way. */
static uint32_t leaves_no_trace(uint32_t verdict, uint32_t keyed) {
    static const uint8_t kinds[] = {LPC_DUPLICATE,    LPC_DONE_DUPLICATE, LPC_ORPHAN,    LPC_BAD_LENGTH, LPC_BAD_SIZE,
                                    LPC_BAD_DISPATCH, LPC_TAG_FIRST,      LPC_TAG_LATER, LPC_REPLAY,     LPC_DOWNGRADE,
                                    LPC_NO_ADDRESS,   LPC_WHOLE};
    return (verdict == LPC_BLOCKED && keyed != 0u) || memchr(kinds, (int)verdict, sizeof kinds) != NULL;
}

uint32_t give(const struct lpc_address *source, const struct lpc_address *destination, const uint8_t *bytes,
                     uint32_t length) {
    static uint8_t edge[FRAME_MOST]; /* a frame ends where it ends, so that a sanitizer sees a read behind it */
    const struct lpc_meta meta = {-60, (uint8_t)inputs, 0u};
    uint8_t *const frame = edge + sizeof edge - length;
    uint32_t sum = 0u;
    if (frames == given_most || sent_log(given_now, source, destination, bytes, length) == 0u) {
        return LPC_VERDICTS;
    }
    memcpy(frame, bytes, length);
    lpc_poll(given_now);
    const struct look before = look(source);
    const uint32_t twice = begun_twice();
    const uint32_t delivered_before = delivered, keyed = length != 0u && bytes[0] == 0xFFu && pair_key(source) != 0;
    const uint32_t verdict = lpc_input(given_now, source, destination, &meta, frame, (uint8_t)length);
    const uint32_t by_fragments = delivered - delivered_before;
    inputs++;
    frames++;
    if (verdict == LPC_WHOLE) {
        one_frame = 1u;
        const uint32_t what = lpc_whole(given_now, source, destination, frame, (uint8_t)length);
        REQUIRE(delivered - delivered_before == (what == LPC_DELIVERED));
        one_frame = 0u;
        inputs++;
    }
    const struct look after = look(source);
    for (uint32_t i = 0u; i < LPC_VERDICTS; i++) {
        sum += lpc_counter(i);
    }
    REQUIRE(verdict < LPC_VERDICTS && sum == inputs);
    REQUIRE(by_fragments == (verdict == LPC_DELIVERED));
    REQUIRE(lpc_counter(LPC_RX_FIRST) + lpc_counter(LPC_RX_LATER) <= inputs);
    check_lists(&after.use);
    if (twice == 0u && leaves_no_trace(verdict, keyed)) {
        REQUIRE(before.use.slots == after.use.slots && before.use.contexts == after.use.contexts);
        REQUIRE(before.scores[0] == after.scores[0] && before.scores[1] == after.scores[1]);
    }
    last.source = *source;
    last.destination = *destination;
    last.length = (uint8_t)length;
    last.at = given_now;
    last.verdict = verdict;
    memcpy(last.bytes, bytes, length);
    return verdict;
}

/* The frame before, at the same time: nothing changes. */
void give_again(void) {
    if (last.length == 0u || last.at != given_now) {
        return;
    }
    const uint32_t verdict = last.verdict;
    const struct lpc_address source = last.source, destination = last.destination;
    const struct look before = look(&source);
    const uint32_t twice = begun_twice();
    const uint32_t again = give(&source, &destination, last.bytes, last.length);
    const uint32_t known = verdict == LPC_TAKEN || verdict == LPC_DELIVERED || verdict == LPC_DUPLICATE;
    if (again != LPC_VERDICTS && twice == 0u && known) {
        const struct look after = look(&source);
        REQUIRE(again == LPC_DUPLICATE || again == LPC_DONE_DUPLICATE || again == LPC_TAG_LATER);
        REQUIRE(memcmp(&before.use, &after.use, sizeof before.use) == 0);
        REQUIRE(before.scores[0] == after.scores[0] && before.scores[1] == after.scores[1]);
    }
}

void given_reset(void) {
    inputs = delivered = frames = 0u;
    given_restarted();
}

void given_restarted(void) {
    inputs = 0u;
    last.length = 0u;
}

void given_forget(const struct lpc_address *source) {
    lpc_forget(source);
    last.length = 0u;
}
