#ifndef TINYC_SOFTMAX_H
#define TINYC_SOFTMAX_H

#include <stdint.h>

#include "reciprocal.h"

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

#endif
