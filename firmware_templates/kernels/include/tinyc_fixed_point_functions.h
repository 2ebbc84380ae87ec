/* Logarithm and inverse square root. The C twin of tinyc/quantize/fixed_point_functions.py: change both or
 * neither. A value with k integer bits is raw * 2^(k - 31). */
#ifndef TINYC_FIXED_POINT_FUNCTIONS_H
#define TINYC_FIXED_POINT_FUNCTIONS_H

#include <stdint.h>

/* x * 2^exponent, saturated. */
TINYC_INLINE int32_t tinyc_saturating_shift(int32_t x, int32_t exponent) {
    const int32_t largest = INT32_MAX >> exponent;
    return x > largest ? INT32_MAX : (x < -largest - 1 ? INT32_MIN : x * ((int32_t)1 << exponent));
}

/* How often x > 0 can be doubled. */
TINYC_INLINE int32_t tinyc_headroom(int32_t x) {
    int32_t count = 0;
    for (; x < (int32_t)1 << 30; x <<= 1) {
        count++;
    }
    return count;
}

/* log(x) with 5 integer bits, for x >= 1 with 12 of them. */
TINYC_INLINE int32_t tinyc_logarithm(int32_t x) {
    const int32_t root_of_half = 1518500250, fourth_root_of_half = 1805811301;
    const int32_t quarter = (int32_t)1 << 23; /* with 6 integer bits */
    const int32_t headroom = tinyc_headroom(x);
    const int32_t scaled_headroom = tinyc_headroom(tinyc_scale(x, root_of_half));
    const int32_t a = tinyc_saturating_shift(tinyc_scale(x << headroom, root_of_half), 1);
    const int32_t b = tinyc_saturating_shift(x, scaled_headroom);
    const int32_t power_a = ((11 - headroom) << 25) + quarter;
    const int32_t power_b = ((12 - scaled_headroom) << 25) - quarter;
    const int32_t r = a < b ? a : b;
    const int32_t power = power_a > power_b ? power_a : power_b;
    const int32_t middle = (int32_t)(((uint32_t)r + (uint32_t)fourth_root_of_half + 1u) >> 1);
    const int32_t q = 2 * (r - fourth_root_of_half);
    const int32_t square = tinyc_scale(q, q);
    const int32_t numerator = tinyc_scale(q, r) + tinyc_scale(tinyc_scale(q, square), 117049297);
    const int32_t denominator =
        tinyc_scale(middle, 1057819769 + q + tinyc_scale(square, 127690142)) + tinyc_scale(q, 638450708);
    const int32_t rest =
        tinyc_scale(tinyc_rounding_shift(numerator, 6), tinyc_one_over_one_plus(denominator));
    return tinyc_saturating_shift(tinyc_scale(power, 1488522236) + rest, 1);
}

/* 1 / sqrt(x) = multiplier * 2^(shift - 31), shift <= 0; x = 0 counts as 1. */
TINYC_INLINE int32_t tinyc_inverse_square_root(int32_t x, int32_t *shift) {
    *shift = 0;
    if (x <= 1) {
        return INT32_MAX;
    }
    int32_t right = 11;
    while (x >= (int32_t)1 << 29) {
        x >>= 2;
        right++;
    }
    const int32_t pairs = tinyc_headroom(x) / 2 - 1;
    const int32_t half = tinyc_rounding_shift((x << (2 * pairs)) >> 1, 1);
    int32_t root = (int32_t)1 << 28; /* 3 integer bits */
    for (int32_t step = 0; step < 5; step++) {
        const int32_t cube = tinyc_saturating_shift(tinyc_scale(tinyc_scale(root, root), root), 6);
        root = tinyc_saturating_shift(tinyc_scale(root, (int32_t)3 << 27) - tinyc_scale(half, cube), 3);
    }
    root = tinyc_scale(root, 1518500250);
    right -= pairs;
    if (right < 0) {
        return root << -right;
    }
    *shift = -right;
    return root;
}

#endif
