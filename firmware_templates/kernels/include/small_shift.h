#ifndef TINYC_SMALL_SHIFT_H
#define TINYC_SMALL_SHIFT_H

#include <stdint.h>

/* tinyc_rounding_shift with what depends on the exponent worked out before the loop. The sum must not
   overflow: |x| + 2^(exponent - 1) < 2^31. */
struct tinyc_small_shift {
    int32_t exponent, half, tie;
};

TINYC_INLINE struct tinyc_small_shift tinyc_make_small_shift(int32_t exponent) {
    const struct tinyc_small_shift shift = {exponent, exponent > 0 ? (int32_t)1 << (exponent - 1) : 0,
                                            exponent > 0 ? -1 : 0};
    return shift;
}

TINYC_INLINE int32_t tinyc_apply_small_shift(int32_t x, struct tinyc_small_shift shift) {
    return (x + shift.half + ((x >> 31) & shift.tie)) >> shift.exponent;
}

#endif
