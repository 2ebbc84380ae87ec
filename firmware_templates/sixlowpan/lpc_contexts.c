/*
 * Datagrams under way. A context's slots are a list in the order of the datagram; the first one holds the first
 * fragment as it came, further fragments are appended to the slot before them where they join it and fit, so small
 * fragments do not take more memory than large ones. Whatever ends a context frees all of it.
 */
#include "lpc_contexts.h"

#include <string.h>

#include "lpc_datagram.h"
#include "lpc_done.h"
#include "lpc_features.h"
#include "lpc_score.h"

#define BUSY_MS 60u /* a datagram that moved since then is alive */
#define BLOCKED_MOST 4u /* contexts of a source that is blocked but cannot be told from who uses its address */

struct slot {
    uint16_t offset;
    uint8_t length; /* 0: free */
    uint8_t next;   /* of the datagram, or of the free ones; LPC_SLOTS: none */
    uint8_t bytes[LPC_SLOT_BYTES];
};

LPC_STATE static struct slot slots[LPC_SLOTS];
LPC_STATE static struct lpc_context contexts[LPC_CONTEXTS];
/* When timers were looked at, and for how long from then on none runs out: of datagrams under way, of finished ones. */
LPC_STATE static uint32_t looked, quiet, done_quiet;
LPC_STATE static uint8_t free_slot; /* the first one, LPC_SLOTS: none */

_Static_assert(sizeof slots + sizeof contexts + sizeof looked + sizeof quiet + sizeof done_quiet + sizeof free_slot ==
                   LPC_CONTEXTS_BYTES,
               "lpc_config.h");

void lpc_contexts_init(void) {
    memset(slots, 0, sizeof slots);
    for (uint32_t i = 0u; i < LPC_SLOTS; i++) {
        slots[i].next = (uint8_t)(i + 1u);
    }
    free_slot = 0u;
    memset(contexts, 0, sizeof contexts);
    lpc_done_init();
    lpc_counters_init();
    looked = quiet = done_quiet = 0u;
}

uint32_t lpc_contexts_open(void) {
    uint32_t count = 0u;
    for (uint32_t i = 0u; i < LPC_CONTEXTS; i++) {
        count += contexts[i].size != 0u;
    }
    return count;
}

struct lpc_use lpc_in_use(void) {
    struct lpc_use use = {0u, (uint8_t)lpc_contexts_open()};
    for (uint32_t i = 0u; i < LPC_SLOTS; i++) {
        use.slots = (uint8_t)(use.slots + (slots[i].length != 0u));
    }
    return use;
}

uint32_t lpc_held(uint32_t index, struct lpc_holding *holding) {
    if (index >= LPC_CONTEXTS || contexts[index].size == 0u) {
        return 0u;
    }
    const struct lpc_context *const it = contexts + index;
    holding->source = it->source;
    holding->destination = it->destination;
    holding->size = it->size;
    holding->tag = it->tag;
    holding->mode = it->mode;
    holding->slots = 0u;
    for (uint32_t slot = it->slot; holding->slots < LPC_SLOTS && slot < LPC_SLOTS; slot = slots[slot].next) {
        holding->slots++;
    }
    holding->bytes = (uint16_t)(holding->slots * sizeof slots[0] + sizeof *it);
    return 1u;
}

static uint32_t keyed(const struct lpc_context *context) {
    return context->mode == LPC_KEYED;
}

void lpc_contexts_meet(uint8_t place, const struct lpc_address *source, uint32_t with_key) {
    for (struct lpc_context *it = contexts; it != contexts + LPC_CONTEXTS; it++) {
        if (it->size == 0u) {
            continue;
        }
        if (lpc_same_address(&it->source, source) && keyed(it) == with_key) {
            it->place = place;
        } else if (it->place == place) {
            it->place = (uint8_t)LPC_NEIGHBOURS;
        }
    }
}

void lpc_context_free(struct lpc_context *context) {
    uint32_t slot = context->slot;
    for (uint32_t i = 0u; i < LPC_SLOTS && slot < LPC_SLOTS; i++) {
        slots[slot].length = 0u;
        slot = slots[slot].next;
    }
    slots[context->last].next = free_slot;
    free_slot = context->slot;
    context->size = 0u;
}

/* Milliseconds since its last new fragment. */
static uint32_t idle(uint32_t now, const struct lpc_context *context) {
    return now - context->opened - context->moved;
}

void lpc_expire(uint32_t now_ms) {
    const uint32_t step = now_ms - looked;
    uint32_t least = lpc_least(LPC_GAP_MS, LPC_TOTAL_MS); /* so long lives what comes from now on */
    lpc_score_decay(now_ms);
    looked = now_ms;
    done_quiet = step < done_quiet ? done_quiet - step : lpc_done_expire(now_ms);
    if (step < quiet) {
        quiet -= step;
        return;
    }
    for (struct lpc_context *it = contexts; it != contexts + LPC_CONTEXTS; it++) {
        if (it->size == 0u) {
            continue;
        }
        if (now_ms - it->opened >= LPC_TOTAL_MS || idle(now_ms, it) >= LPC_GAP_MS) {
            lpc_count(now_ms - it->opened >= LPC_TOTAL_MS ? LPC_TIMEOUT_TOTAL : LPC_TIMEOUT_GAP);
            lpc_score_soft(now_ms, &it->source, keyed(it), it->have > it->covers);
            lpc_context_free(it);
        } else {
            least = lpc_least(least, lpc_least(LPC_TOTAL_MS - (now_ms - it->opened), LPC_GAP_MS - idle(now_ms, it)));
        }
    }
    quiet = least;
}

void lpc_forget(const struct lpc_address *source) {
    for (uint32_t i = 0u; i < LPC_CONTEXTS; i++) {
        if (contexts[i].size != 0u && lpc_same_address(&contexts[i].source, source)) {
            lpc_context_free(contexts + i);
        }
    }
    lpc_done_forget(source);
}

struct lpc_context *lpc_context_find(const struct lpc_context *like, struct lpc_context *after) {
    for (struct lpc_context *it = after == 0 ? contexts : after + 1; it != contexts + LPC_CONTEXTS; it++) {
        if (it->mode == like->mode && it->size == like->size && it->tag == like->tag &&
            lpc_same_address(&it->source, &like->source) && lpc_same_address(&it->destination, &like->destination)) {
            return it;
        }
    }
    return 0;
}

struct lpc_context *lpc_context_twin(struct lpc_context *context) {
    struct lpc_context *const one = lpc_context_find(context, 0);
    return one != context ? one : lpc_context_find(context, context);
}

/* Nothing came behind its first fragment, which anybody may have sent. */
static uint32_t only_begun(const struct lpc_context *it) {
    return it->mode != LPC_KEYED && it->have == it->covers;
}

/* What it is worth to keep: how far it is, who sends it, and whether it still moves. */
static int32_t value(uint32_t now, const struct lpc_context *it) {
    const uint32_t rest = idle(now, it) / (only_begun(it) != 0u ? 1u : 4u);
    return (int32_t)(it->have * 64u / it->size) + lpc_score_worth(it->place) - (int32_t)(rest < 96u ? rest : 96u) -
           (int32_t)(it->rank >> 2);
}

/* Its rank is bad, and nothing proves its address. Without a model there are none. */
static uint32_t suspect(const struct lpc_context *it) {
    return LPC_RANK != 0 && it->mode != LPC_KEYED && it->rank >= LPC_RANK_SUSPECT;
}

static void give_up(uint32_t now, struct lpc_context *context, uint32_t evidence) {
    lpc_count(LPC_EVICTED);
    if (evidence != 0u) {
        lpc_score_soft(now, &context->source, keyed(context), context->have > context->covers);
    }
    lpc_context_free(context);
}

/* Whoever completes a datagram is proven without a key, so a stranger can become that, too. */
static uint32_t strength(const struct lpc_context *it) {
    return lpc_score_proven_at(it->place) == 0u ? 0u : 1u + keyed(it);
}

/* Frees the context of the lowest value but `but`; 0 if none may go: none that moves, for a newcomer that is less. */
static uint32_t evict(uint32_t now, const struct lpc_context *for_whom, const struct lpc_context *but) {
    const uint32_t newcomer = lpc_score_proven(&for_whom->source, keyed(for_whom)) == 0u ? 0u : 1u + keyed(for_whom);
    struct lpc_context *chosen = 0;
    int32_t lowest = 0;
    for (struct lpc_context *it = contexts; it != contexts + LPC_CONTEXTS; it++) {
        if (it->size == 0u || it == but || (suspect(for_whom) && it->rank + LPC_RANK_MARGIN < for_whom->rank) ||
            (newcomer < 2u && idle(now, it) < BUSY_MS && only_begun(it) == 0u && strength(it) > newcomer)) {
            continue;
        }
        const int32_t worth = value(now, it);
        if (chosen == 0 || worth < lowest) {
            chosen = it;
            lowest = worth;
        }
    }
    if (chosen == 0) {
        return 0u;
    }
    give_up(now, chosen, idle(now, chosen) > BUSY_MS);
    return 1u;
}

static uint32_t free_context(void) {
    uint32_t context = 0u;
    while (context < LPC_CONTEXTS && contexts[context].size != 0u) {
        context++;
    }
    return context;
}

static uint32_t full(void) {
    return free_context() == LPC_CONTEXTS || free_slot == LPC_SLOTS;
}

/* Takes the first free slot, in front of `next`. */
static uint8_t fill(uint16_t offset, const uint8_t *bytes, uint8_t length, uint8_t next) {
    const uint8_t slot = free_slot;
    free_slot = slots[slot].next;
    slots[slot].offset = offset;
    slots[slot].length = length;
    slots[slot].next = next;
    memcpy(slots[slot].bytes, bytes, length);
    return slot;
}

/* Which of its source's datagrams goes for a new one. A node sends one after the other: a source that proved itself
 * has given up what stands still. What anybody may have sent is not given up for that. There a datagram may have
 * begun twice, as an attacker who guesses its tag may come first or second: both are kept, a third takes the place of
 * the worse. Who is blocked there may be a victim: of what has only begun it keeps what is not old, four in all. */
uint32_t lpc_context_admit(uint32_t now_ms, const struct lpc_context *like, uint32_t blocked) {
    if (keyed(like) != 0u && blocked != 0u) {
        return 0u;
    }
    for (uint32_t own = BLOCKED_MOST; own >= BLOCKED_MOST;) {
        struct lpc_context *oldest = 0;
        own = 0u;
        for (struct lpc_context *it = contexts; it != contexts + LPC_CONTEXTS; it++) {
            if (!lpc_same_address(&it->source, &like->source) || it->size == 0u || keyed(it) != keyed(like)) {
                continue;
            }
            if (idle(now_ms, it) > BUSY_MS && (keyed(like) != 0u || (blocked != 0u && only_begun(it) != 0u))) {
                give_up(now_ms, it, 1u);
                continue;
            }
            own++;
            if (only_begun(it) != 0u && (oldest == 0 || idle(now_ms, it) > idle(now_ms, oldest))) {
                oldest = it;
            }
        }
        if (blocked == 0u || own < BLOCKED_MOST) {
            break;
        }
        if (oldest == 0) {
            return 0u;
        }
        give_up(now_ms, oldest, 1u); /* or it would not stay blocked while it goes on like that */
    }
    struct lpc_context *const one = keyed(like) != 0u ? 0 : lpc_context_find(like, 0); /* there is none with its key */
    struct lpc_context *const two = one == 0 ? 0 : lpc_context_find(like, one);
    if (two != 0) {
        give_up(now_ms, value(now_ms, two) < value(now_ms, one) ? two : one, 0u);
    }
    return 1u;
}

struct lpc_context *lpc_context_open(uint32_t now_ms, const struct lpc_context *like, const uint8_t *content,
                                     uint8_t length) {
    /* Each context has a slot, so one that goes makes room of both kinds. */
    if (full() && evict(now_ms, like, 0) == 0u) {
        return 0;
    }
    struct lpc_context *const context = contexts + free_context();
    *context = *like;
    context->opened = now_ms;
    context->moved = 0u;
    context->have = context->covers;
    context->slot = fill(0u, content, length, LPC_SLOTS);
    context->last = context->slot;
    context->place = lpc_score_place(&context->source, keyed(context));
    return context;
}

uint32_t lpc_context_first_is(const struct lpc_context *context, const uint8_t *content, uint8_t length) {
    const struct slot *const it = slots + context->slot;
    return it->length == length && memcmp(it->bytes, content, length) == 0;
}

uint8_t *lpc_context_note(const struct lpc_context *context) {
    return slots[context->slot].bytes + LPC_SLOT_BYTES - LPC_NOTE_BYTES;
}

static uint32_t end_of(const struct slot *slot) {
    return (uint32_t)slot->offset + slot->length;
}

enum lpc_relation lpc_context_compare(const struct lpc_context *context, uint16_t offset, const uint8_t *payload,
                                      uint8_t length) {
    const uint32_t end = (uint32_t)offset + length;
    uint32_t slot = slots[context->slot].next, covered = 0u, differs = 0u;
    if (context->last == context->slot || offset >= end_of(slots + context->last)) {
        return LPC_NEW; /* in order */
    }
    for (uint32_t i = 0u; i < LPC_SLOTS && slot < LPC_SLOTS; i++) {
        const struct slot *const it = slots + slot;
        const uint32_t its_end = end_of(it);
        const uint32_t from = it->offset > offset ? it->offset : offset, to = its_end < end ? its_end : end;
        if (from < to) {
            covered += to - from;
            differs |= memcmp(it->bytes + (from - it->offset), payload + (from - offset), to - from) != 0;
        }
        slot = it->next;
    }
    if (covered == 0u) {
        return LPC_NEW;
    }
    return differs != 0u ? LPC_DIFFERENT : covered == length ? LPC_SAME : LPC_PARTLY;
}

uint32_t lpc_context_store(uint32_t now_ms, struct lpc_context *context, uint16_t offset, const uint8_t *payload,
                           uint8_t length) {
    const uint32_t in_order = slots[context->last].offset <= offset;
    uint32_t before = in_order != 0u ? context->last : context->slot;
    for (uint32_t i = 0u; in_order == 0u && i < LPC_SLOTS; i++) {
        const uint32_t next = slots[before].next;
        if (next >= LPC_SLOTS || slots[next].offset > offset) {
            break;
        }
        before = next;
    }
    struct slot *const it = slots + before;
    if (before != context->slot && end_of(it) == offset && (uint32_t)it->length + length <= LPC_SLOT_BYTES) {
        memcpy(it->bytes + it->length, payload, length);
        it->length = (uint8_t)(it->length + length);
    } else {
        if (free_slot == LPC_SLOTS && evict(now_ms, context, context) == 0u) {
            lpc_context_free(context);
            return 0u;
        }
        it->next = fill(offset, payload, length, it->next);
        if (before == context->last) {
            context->last = it->next;
        }
    }
    context->have = (uint16_t)(context->have + length);
    context->sum = iphc_fold(iphc_sum(context->sum, payload, length, 0u));
    context->moved = (uint16_t)(now_ms - context->opened);
    return 1u;
}

const uint8_t *lpc_piece(struct lpc_datagram *datagram, uint8_t *length) {
    const uint8_t *const rest = datagram->rest;
    if (rest != 0 && datagram->rest_length != 0u) {
        *length = datagram->rest_length;
        datagram->rest = 0;
        return rest;
    }
    if (datagram->slot >= LPC_SLOTS) {
        return 0;
    }
    const struct slot *const it = slots + datagram->slot;
    datagram->slot = it->next;
    *length = it->length;
    return it->bytes;
}

uint32_t lpc_context_finish(uint32_t now_ms, struct lpc_context *context) {
    const struct slot *const first = slots + context->slot;
    uint8_t headers[IPHC_HEADERS_ROOM];
    struct lpc_datagram datagram;
    datagram.source = context->source;
    datagram.destination = context->destination;
    datagram.size = context->size;
    datagram.tag = context->tag;
    datagram.mode = context->mode;
    datagram.slot = first->next;
    const uint32_t verdict = lpc_datagram_check(&datagram, first->bytes, first->length, 0u, context->sum, headers);
    if (verdict == LPC_DELIVERED) {
        lpc_done_remember(now_ms, context);
        lpc_score_success(now_ms, &context->source, keyed(context));
        lpc_features_learn(now_ms, context);
        lpc_deliver(&datagram);
    } else if (lpc_context_twin(context) == 0) {
        lpc_score_hard(now_ms, &context->source, keyed(context));
    }
    lpc_context_free(context);
    return verdict;
}
