#ifndef TINYC_RECIPROCAL_H
#define TINYC_RECIPROCAL_H

#include <stdint.h>

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
