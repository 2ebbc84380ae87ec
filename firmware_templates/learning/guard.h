/*
 * Judging a head: by the guard set, factory latents in flash that no head on the device learns from, by
 * held-out samples of the field, and by the field's labels as they come. The twin is tinyc/learning/guard.py.
 *
 * learn_config.h gives:
 *   LEARN_GUARD_COUNT    latents in learn_guard_latents
 *   LEARN_GUARD_SLACK    right answers that the shadow may have less than the factory's head
 *   LEARN_GUARD_FACTOR   regressions: the shadow's error over the factory's may be so much, a float >= 1
 */
#ifndef TINYC_GUARD_H
#define TINYC_GUARD_H

#include <stdint.h>

#include "learn_config.h"
#include "learn_head.h"

/* How well a head answers samples. Starts as GUARD_MARK. */
struct guard_mark {
#if LEARN_REGRESSION
    float error; /* sum of learn_head_error */
#else
    uint32_t right; /* answers */
#endif
    uint32_t finite; /* 0: a score was not */
};

#if LEARN_REGRESSION
#define GUARD_MARK {0.0f, 1u}
#else
#define GUARD_MARK {0u, 1u}
#endif

#if LEARN_REGRESSION
typedef float guard_target;
#define GUARD_TARGETS LEARN_CAPACITY
#else
typedef uint8_t guard_target;
#define GUARD_TARGETS 1
#endif

/* Adds one sample to a mark. */
void guard_add(struct guard_mark *mark, const struct learn_head *head, const int8_t *latent,
               const guard_target *target);

/* The mark of a head on the guard set. */
struct guard_mark guard_mark_of(const struct learn_head *head);

/* 1 if the shadow keeps what the factory taught: all scores finite, and no worse than the factory's head but for
 * LEARN_GUARD_SLACK or LEARN_GUARD_FACTOR. */
uint32_t guard_holds(const struct guard_mark *shadow, const struct guard_mark *factory);

/* Below 0: a is the worse one, above: the better one, 0: as good. */
int32_t guard_compare(const struct guard_mark *a, const struct guard_mark *b);

/* Labelled samples that only one of two heads answered right, or better. */
struct guard_duel {
    uint32_t only_active;
    uint32_t only_good;
};

/*
 * Takes in how the two answered. 1 if last-good is significantly better: a one-sided sign test after each sample
 * that only one of them answered right, with limits that a pair of equal heads exceeds in 1 of 100 rounds of
 * GUARD_DUEL samples; then a new round begins.
 */
#define GUARD_DUEL 64
uint32_t guard_duel(struct guard_duel *duel, int32_t active_against_good);

#endif
