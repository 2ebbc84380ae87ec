/* The counters of keyed chains: none is taken twice. */
#include "lpc_replay.h"

#include <string.h>

#include "lpc_chain.h"
#include "lpc_done.h"

/* Counters that a peer's chain has used: the highest, and bit i for the one that is i below it. */
struct replay {
    uint32_t top, window;
};

LPC_STATE static struct replay replays[LPC_PEERS];

_Static_assert(sizeof replays == LPC_REPLAY_BYTES, "lpc_config.h");

void lpc_replay_init(void) {
    memset(replays, 0, sizeof replays);
}

uint32_t lpc_peer_top(uint32_t peer) {
    return peer < LPC_PEERS ? replays[peer].top : 0u;
}

void lpc_peer_resume(uint32_t peer, uint32_t top) {
    if (peer < LPC_PEERS) {
        replays[peer].top = top;
        replays[peer].window = 0xFFFFFFFFu;
    }
}

static uint32_t used_before(const struct replay *replay, uint32_t counter) {
    if (counter > replay->top) {
        return 0u;
    }
    return replay->top - counter >= 32u || (replay->window >> (replay->top - counter) & 1u) != 0u;
}

static void use_counter(struct replay *replay, uint32_t counter) {
    if (counter > replay->top) {
        const uint32_t by = counter - replay->top;
        replay->window = (by < 32u ? replay->window << by : 0u) | 1u;
        replay->top = counter;
    } else {
        replay->window |= 1u << (replay->top - counter);
    }
}

/*
 * The tag is the lower half of the counter. The upper one, the epoch, is not sent: it is the peer's last one, or the
 * next where that counter is used. If it is neither, a second one is tried, of the fifteen behind, by the tag: a peer
 * that was not heard for so long gets through with one of fifteen datagrams, and no frame costs more than two hashes.
 */
uint32_t lpc_replay_first(uint32_t peer, struct lpc_context *like, uint32_t link, const uint8_t *fragment,
                          uint8_t length) {
    struct replay *const replay = replays + peer;
    const uint8_t tag_length = link == LPC_LINK_ONLY ? LPC_TAG_LAST_BYTES : LPC_TAG_FIRST_BYTES;
    uint32_t epoch = replay->top >> 16, verdict = LPC_TAG_FIRST;
    if (used_before(replay, epoch << 16 | like->tag)) {
        if (lpc_finished(like)) {
            return LPC_DONE_DUPLICATE;
        }
        verdict = LPC_REPLAY;
        epoch++;
    }
    for (uint32_t i = 0u; i < 2u && epoch <= 0xFFFFu; i++) {
        const uint32_t counter = epoch << 16 | like->tag;
        like->chain = lpc_chain_first(lpc_peers[peer].key, &like->source, &like->destination, counter, link, fragment,
                                      length);
        if (lpc_chain_fits(like->chain, fragment + length, tag_length)) {
            use_counter(replay, counter);
            return LPC_TAKEN;
        }
        epoch += 1u + like->tag % LPC_EPOCHS_AHEAD;
    }
    return verdict;
}
