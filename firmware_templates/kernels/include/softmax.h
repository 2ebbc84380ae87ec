#ifndef TINYC_SOFTMAX_H
#define TINYC_SOFTMAX_H

#include <stdint.h>

struct tinyc_softmax {
    int32_t rows, depth;
    int32_t entries;             /* inputs this far below the largest of their row count as 0 */
    const int32_t *exponentials; /* exp(-beta * scale * d) as a fraction of 2^31, d = 0, 1, ... */
};

/* Rows of two. */
struct tinyc_softmax_two {
    int32_t rows;
    int32_t low, high;     /* beyond these the outputs stay what they are there */
    const int8_t *outputs; /* of an element that is low, low + 1, ... high above the other */
};

/* int16 in and out; both tables have 513 entries. */
struct tinyc_softmax_s16 {
    int32_t rows, depth;
    int32_t multiplier, shift;   /* from input steps to steps of 10 / 65535 */
    const int16_t *exponentials; /* exp over [-10, 0] */
    const int16_t *reciprocals;  /* 1 / (1 + x) over [0, 1] */
};

/* 2^31 / (1 + x / 2^31) for x in [0, 2^31): three Newton-Raphson steps on half of the denominator,
   in values with two integer bits. The C twin of `reciprocal` in fixed_point_functions.py. */
TINYC_INLINE int32_t tinyc_one_over_one_plus(int32_t x) {
    const int32_t half_denominator = (int32_t)(((uint32_t)x + 0x80000000u) >> 1);
    int32_t estimate = 1515870810 + tinyc_scale(half_denominator, -1010580540); /* 48/17 - 32/17 d */
    for (int32_t step = 0; step < 3; step++) {
        const int32_t error = ((int32_t)1 << 29) - tinyc_scale(half_denominator, estimate);
        estimate += tinyc_scale(estimate, error) * 4;
    }
    return estimate > INT32_MAX / 2 ? INT32_MAX : estimate * 2;
}

#endif
