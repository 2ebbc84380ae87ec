/*
 * Datagrams that were delivered not long ago, so that late repeats of their fragments are known. Of their keys it
 * keeps hashes: 48 bits and the mode, a third of the memory. Whoever can make two keys of one mode that have the same
 * can send as the other one, too, so it gains nothing by it.
 */
#include "lpc_done.h"

#include <string.h>

#include "lpc_words.h"

struct finished {
    uint32_t at;
    uint32_t hash;
    uint16_t source; /* of it alone */
    uint8_t mode, used;
};

LPC_STATE static struct finished finished[LPC_DONE];
LPC_STATE static uint8_t next;

_Static_assert(sizeof finished + sizeof next == LPC_DONE_BYTES, "lpc_config.h");

void lpc_done_init(void) {
    memset(finished, 0, sizeof finished);
    next = 0u;
}

static uint32_t mixed(uint32_t hash, uint32_t word) {
    hash = (hash ^ word) * 0x9E3779B1u;
    return hash ^ hash >> 15;
}

static uint32_t with(uint32_t hash, const struct lpc_address *address) {
    return mixed(mixed(mixed(hash, lpc_word_at(address->bytes)), lpc_word_at(address->bytes + 4)), address->kind);
}

static uint32_t hash_of(uint32_t source, const struct lpc_context *it) {
    return mixed(with(source, &it->destination), (uint32_t)it->size << 16 | it->tag);
}

uint32_t lpc_done_expire(uint32_t now_ms) {
    uint32_t least = LPC_DONE_MS; /* so long lives what comes from now on */
    for (struct finished *it = finished; it != finished + LPC_DONE; it++) {
        if (it->used == 0u) {
            continue;
        }
        const uint32_t age = now_ms - it->at;
        if (age >= LPC_DONE_MS) {
            it->used = 0u;
        } else {
            least = lpc_least(least, LPC_DONE_MS - age);
        }
    }
    return least;
}

void lpc_done_forget(const struct lpc_address *source) {
    const uint16_t hash = (uint16_t)with(0u, source);
    for (uint32_t i = 0u; i < LPC_DONE; i++) {
        if (finished[i].source == hash) {
            finished[i].used = 0u;
        }
    }
}

uint32_t lpc_finished(const struct lpc_context *like) {
    const uint32_t source = with(0u, &like->source), hash = hash_of(source, like);
    for (const struct finished *it = finished; it != finished + LPC_DONE; it++) {
        if (it->hash == hash && it->used != 0u && it->source == (uint16_t)source && it->mode == like->mode) {
            return 1u;
        }
    }
    return 0u;
}

void lpc_done_remember(uint32_t now_ms, const struct lpc_context *context) {
    struct finished *const it = finished + next;
    const uint32_t source = with(0u, &context->source);
    it->at = now_ms;
    it->hash = hash_of(source, context);
    it->source = (uint16_t)source;
    it->mode = context->mode;
    it->used = 1u;
    next = (uint8_t)((next + 1u) % LPC_DONE);
}
