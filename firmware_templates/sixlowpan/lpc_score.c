/*
 * The score of a neighbour, 0 to 255. It gets an entry with the first evidence; evidence counts against an address
 * only as far as the frames prove that address, so keyed evidence has an entry of its own, and what anybody can
 * forge neither weighs much nor takes an address that has completed a datagram below FLOOR.
 */
#include "lpc_score.h"

#include "lpc_contexts.h"

#include <string.h>

#define NEUTRAL 96u
#define STRANGER 24 /* so much less is a datagram worth before its source has completed one */
#define BLOCK_BELOW 32u
#define LIFT_AT 48u
#define FLOOR 64u
#define DECAY_MS 16000u
#define DECAY_STEPS 16u /* at once; by then all are neutral */

_Static_assert(LPC_NEIGHBOURS < 255u, "a place is a byte");

struct neighbour {
    uint32_t seen;
    struct lpc_address address;
    uint8_t used, keyed, score, streak, ok, blocked;
};

LPC_STATE static struct neighbour neighbours[LPC_NEIGHBOURS];
LPC_STATE static uint32_t decayed;

_Static_assert(sizeof neighbours + sizeof decayed == LPC_SCORE_BYTES, "lpc_config.h");

/* Entries are used in order, and none gets free again: this one's, the first unused one, or 0 where all are others'. */
static struct neighbour *place_of(const struct lpc_address *source, uint32_t keyed) {
    for (struct neighbour *it = neighbours; it != neighbours + LPC_NEIGHBOURS; it++) {
        if ((lpc_same_address(&it->address, source) && it->keyed == keyed) || it->used == 0u) {
            return it;
        }
    }
    return 0;
}

static const struct neighbour *find(const struct lpc_address *source, uint32_t keyed) {
    const struct neighbour *const it = place_of(source, keyed);
    return it != 0 && it->used != 0u ? it : 0;
}

/* The unproven go first, then those without a key; among equals the one that was not heard of for longest. */
static uint32_t rank(const struct neighbour *it) {
    return it->ok == 0u ? 1u : 2u + it->keyed;
}

/* The one to be replaced; 0 if none may be: a failure replaces no proven neighbour. */
static struct neighbour *replaced(uint32_t now, uint32_t keyed, uint32_t success) {
    struct neighbour *chosen = neighbours;
    uint32_t lowest = rank(neighbours);
    for (struct neighbour *it = neighbours + 1; it != neighbours + LPC_NEIGHBOURS; it++) {
        const uint32_t its = rank(it);
        if (its < lowest || (its == lowest && now - it->seen > now - chosen->seen)) {
            chosen = it;
            lowest = its;
        }
    }
    if (lowest > (success != 0u ? 2u + keyed : 1u)) {
        return 0;
    }
    chosen->used = 0u;
    return chosen;
}

/* An entry for new evidence; 0 if there is none for it. */
static struct neighbour *entry(uint32_t now, const struct lpc_address *source, uint32_t keyed, uint32_t success) {
    struct neighbour *chosen = place_of(source, keyed);
    if (chosen == 0) {
        chosen = replaced(now, keyed, success);
    }
    if (chosen == 0) {
        return 0;
    }
    if (chosen->used == 0u) {
        memset(chosen, 0, sizeof *chosen);
        chosen->address = *source;
        chosen->keyed = (uint8_t)keyed;
        chosen->used = 1u;
        chosen->score = NEUTRAL;
        lpc_contexts_meet((uint8_t)(chosen - neighbours), source, keyed);
    }
    chosen->seen = now;
    return chosen;
}

static uint32_t at_least_one(uint32_t step) {
    return step == 0u ? 1u : step;
}

static void rise(struct neighbour *it, uint32_t by) {
    const uint32_t score = it->score + by;
    it->score = (uint8_t)(score > 255u ? 255u : score);
    if (it->score >= LIFT_AT) {
        it->blocked = 0u;
    }
}

static void fall(struct neighbour *it, uint32_t by) {
    const uint32_t held = it->keyed == 0u && it->ok != 0u ? FLOOR : 0u;
    const uint32_t least = it->score < held ? it->score : held; /* a failure raises nothing */
    it->score = (uint8_t)(it->score > least + by ? it->score - by : least);
    if (it->score < BLOCK_BELOW) {
        it->blocked = 1u;
    }
}

void lpc_score_init(void) {
    memset(neighbours, 0, sizeof neighbours);
    decayed = 0u;
}

void lpc_score_success(uint32_t now_ms, const struct lpc_address *source, uint32_t keyed) {
    struct neighbour *const it = entry(now_ms, source, keyed, 1u);
    if (it != 0) {
        it->streak = 0u;
        it->ok = (uint8_t)(it->ok == 255u ? 255u : it->ok + 1u);
        rise(it, at_least_one((255u - it->score) >> 4));
    }
}

void lpc_score_soft(uint32_t now_ms, const struct lpc_address *source, uint32_t keyed, uint32_t went_on) {
    struct neighbour *const it = entry(now_ms, source, keyed, 0u);
    uint32_t shift = 5u;
    if (it == 0) {
        return;
    }
    if (went_on == 0u) {
        it->streak = (uint8_t)(it->streak == 255u ? 255u : it->streak + 1u);
        shift = it->streak < 4u ? 5u : it->streak < 8u ? 3u : 2u;
    }
    fall(it, at_least_one((uint32_t)it->score >> shift));
}

void lpc_score_hard(uint32_t now_ms, const struct lpc_address *source, uint32_t keyed) {
    struct neighbour *const it = entry(now_ms, source, keyed, 0u);
    if (it != 0) {
        fall(it, at_least_one((uint32_t)it->score >> (keyed != 0u ? 1u : 4u)));
    }
}

void lpc_score_decay(uint32_t now_ms) {
    for (uint32_t step = 0u; now_ms - decayed >= DECAY_MS; step++) {
        if (step == DECAY_STEPS) {
            decayed = now_ms;
            break;
        }
        decayed += DECAY_MS;
        for (struct neighbour *it = neighbours; it != neighbours + LPC_NEIGHBOURS; it++) {
            if (it->used != 0u && it->score < NEUTRAL) {
                rise(it, at_least_one((NEUTRAL - it->score) >> 4));
            }
        }
    }
}

uint32_t lpc_score_proven(const struct lpc_address *source, uint32_t keyed) {
    const struct neighbour *const it = find(source, keyed);
    return it != 0 && it->ok != 0u;
}

uint8_t lpc_score_place(const struct lpc_address *source, uint32_t keyed) {
    const struct neighbour *const it = find(source, keyed);
    return it == 0 ? (uint8_t)LPC_NEIGHBOURS : (uint8_t)(it - neighbours);
}

uint32_t lpc_score_proven_at(uint8_t place) {
    return place < LPC_NEIGHBOURS && neighbours[place].ok != 0u;
}

int32_t lpc_score_worth(uint8_t place) {
    const uint32_t score = place < LPC_NEIGHBOURS ? neighbours[place].score : NEUTRAL;
    return (int32_t)(score >> 3) - (lpc_score_proven_at(place) != 0u ? 0 : STRANGER);
}

uint32_t lpc_score_blocked(const struct lpc_address *source, uint32_t keyed) {
    const struct neighbour *const it = find(source, keyed);
    return it != 0 && it->blocked != 0u;
}

struct lpc_standing lpc_score_standing(const struct lpc_address *source, uint32_t keyed) {
    const struct neighbour *const it = find(source, keyed);
    struct lpc_standing standing = {0u, LPC_NEIGHBOURS, NEUTRAL, 0u, 0u};
    if (it != 0) {
        standing.seen = it->seen;
        standing.place = (uint8_t)(it - neighbours);
        standing.score = it->score;
        standing.ok = it->ok;
        standing.streak = it->streak;
    }
    return standing;
}

uint8_t lpc_score(const struct lpc_address *source, uint32_t keyed) {
    const struct neighbour *const it = find(source, keyed);
    return it == 0 ? NEUTRAL : it->score;
}

uint32_t lpc_neighbour(uint32_t index, struct lpc_neighbour *neighbour) {
    if (index >= LPC_NEIGHBOURS || neighbours[index].used == 0u) {
        return 0u;
    }
    const struct neighbour *const it = neighbours + index;
    *neighbour = (struct lpc_neighbour){it->address, it->keyed, it->score, it->ok, it->streak, it->blocked};
    return 1u;
}
