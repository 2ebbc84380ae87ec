/* Planes of int16, two neighbouring columns in a word, and the depthwise convolution of them. */
#ifndef TINYC_PLANES_H
#define TINYC_PLANES_H

#include <stdint.h>

#include "tinyc_dsp.h"

/* Rows of outputs of some channels. Assembly reads the fields by their place: the first record, plane and
 * output, rows of the output, channels, bytes from an output to the next in its row and in its column. */
struct tinyc_planes {
    const int32_t *record;
    void *planes;
    int8_t *output;
    int32_t rows, channels;
    int32_t pixel, line;
};

typedef void tinyc_planes_rows(const struct tinyc_planes *planes);

#if !defined(__ARM_FEATURE_DSP)

/* The last of a sum, its multiplier and constant: requantization.py, OneStep. */
TINYC_INLINE int8_t tinyc_one_step_s8(uint32_t sum, int32_t multiplier, int32_t constant, int32_t shift) {
    const int32_t high = (int32_t)(((int64_t)(int32_t)sum * multiplier) >> 32);
    return (int8_t)tinyc_clamp((int32_t)((uint32_t)high + (uint32_t)constant) >> shift, -128, 127);
}

/* TwoSteps of a sum and a multiplier that are both negated: a product is the same, and twice the sum
 * leaves in the carry whether the true one is above 0. At 0 the constant makes both cases equal. */
TINYC_INLINE int8_t tinyc_two_steps_s8(uint32_t sum, int32_t multiplier, int32_t constant, int32_t shift) {
    const int32_t high = tinyc_smmulr((int32_t)(sum << 1), multiplier);
    return (int8_t)tinyc_clamp((high + constant - ((int32_t)sum < 0 ? 0 : 1)) >> shift, -128, 127);
}

#endif

#endif
