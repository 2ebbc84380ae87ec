/* How heads are judged: see guard.h. */
#include "guard.h"

#include "learn_math.h"
#include "learn_tables.h"

/* A regression may have many outputs, a classifier has few: those go on the stack. */
#if LEARN_REGRESSION
#define SCORES static float scores[LEARN_CAPACITY]
#define LEARN_GUARD_TARGETS learn_guard_targets
#else
#define SCORES float scores[LEARN_CAPACITY]
#define LEARN_GUARD_TARGETS learn_guard_labels
#endif

/*
 * Of n samples that only one of two heads answered right, so many in favour of last-good are significant; 255:
 * none are. duel_limits() of guard.py computes them.
 */
static const uint8_t limits[GUARD_DUEL] = {
    255, 255, 255, 255, 255, 255, 255, 255, 9,  10, 11, 12, 12, 13, 14, 15, 15, 16, 17, 17, 18, 19,
    19,  20,  21,  21,  22,  22,  23,  24,  24, 25, 26, 26, 27, 27, 28, 29, 29, 30, 31, 31, 32, 32,
    33,  34,  34,  35,  35,  36,  37,  37,  38, 38, 39, 40, 40, 41, 41, 42, 43, 43, 44, 44,
};

void guard_add(struct guard_mark *mark, const struct learn_head *head, const int8_t *latent,
               const guard_target *target) {
    SCORES;
    const uint32_t best = learn_head_scores(head, latent, scores);
    for (uint32_t i = 0u; i < LEARN_CAPACITY; i++) {
        mark->finite &= learn_is_finite(scores[i]);
    }
#if LEARN_REGRESSION
    (void)best;
    mark->error = mark->error + learn_head_error(scores, target);
    mark->finite &= learn_is_finite(mark->error);
#else
    mark->right += best == *target ? 1u : 0u;
#endif
}

struct guard_mark guard_mark_of(const struct learn_head *head) {
    struct guard_mark mark = GUARD_MARK;
    for (uint32_t i = 0u; i < LEARN_GUARD_COUNT; i++) {
        guard_add(&mark, head, learn_guard_latents + i * LEARN_LATENT, LEARN_GUARD_TARGETS + i * GUARD_TARGETS);
    }
    return mark;
}

uint32_t guard_holds(const struct guard_mark *shadow, const struct guard_mark *factory) {
#if LEARN_REGRESSION
    const uint32_t enough = shadow->error <= factory->error * LEARN_GUARD_FACTOR;
#else
    const uint32_t enough = shadow->right + LEARN_GUARD_SLACK >= factory->right;
#endif
    return shadow->finite && enough;
}

int32_t guard_compare(const struct guard_mark *a, const struct guard_mark *b) {
#if LEARN_REGRESSION
    return a->error < b->error ? 1 : a->error > b->error ? -1 : 0;
#else
    return (int32_t)a->right - (int32_t)b->right;
#endif
}

uint32_t guard_duel(struct guard_duel *duel, int32_t active_against_good) {
    if (active_against_good == 0) {
        return 0u;
    }
    if (active_against_good > 0) {
        duel->only_active++;
    } else {
        duel->only_good++;
    }
    const uint32_t count = duel->only_active + duel->only_good;
    if (duel->only_good >= limits[count - 1u]) {
        return 1u;
    }
    if (count == GUARD_DUEL) {
        duel->only_active = 0u;
        duel->only_good = 0u;
    }
    return 0u;
}
