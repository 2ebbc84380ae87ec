#ifndef TINYC_ATTENTION_H
#define TINYC_ATTENTION_H

#include "tinyc_tile.h"

/* Inputs: the rows of q; all of k; all of v. `powers` is 32767 * 2^(-i / 256). */
struct tinyc_attention {
    int32_t heads, depth, width, causal, output_wide;
    int32_t score_multiplier, context_multiplier, context_shift;
    const uint16_t *powers;
};

/* What a context is multiplied with after a left shift, from the sum of its numerators, in [1, 2^24). */
struct tinyc_context_scale {
    int32_t left, multiplier;
};

TINYC_INLINE struct tinyc_context_scale tinyc_context_scale(uint32_t total, int32_t multiplier) {
    const int32_t left = __builtin_clz(total) - 8;
    const uint32_t reciprocal = 0x80000000u / ((total << left) >> 8);
    const struct tinyc_context_scale scale = {left, (int32_t)(reciprocal * (uint32_t)multiplier)};
    return scale;
}

/* A score that lies `below` the largest of its row as a numerator. */
TINYC_INLINE uint32_t tinyc_numerator(int32_t below, int32_t multiplier, const uint16_t *powers) {
    const int32_t steps = tinyc_multiply_high(below * 64, multiplier);
    return steps > 4095 ? 0 : (uint32_t)powers[steps & 255] >> (steps >> 8);
}

TINYC_INLINE int32_t tinyc_context(uint32_t sum, struct tinyc_context_scale scale, int32_t shift) {
    const int32_t product = (int32_t)(((int64_t)(int32_t)(sum << scale.left) * scale.multiplier) >> 32);
    return (product + (1 << (shift - 1))) >> shift;
}

#endif
