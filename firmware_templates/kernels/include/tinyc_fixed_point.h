/* Requantization. The C twin of tinyc/quantize/fixed_point.py: change both or neither. */
#ifndef TINYC_FIXED_POINT_H
#define TINYC_FIXED_POINT_H

#include <stdint.h>
#include <string.h>

#ifndef TINYC_KERNEL
#if defined(__GNUC__)
/* One symbol per kernel: a profile can name it, and its code exists once for all layers. */
#define TINYC_KERNEL static __attribute__((noinline))
#define TINYC_INLINE static inline __attribute__((always_inline))
#else
#define TINYC_KERNEL static
#define TINYC_INLINE static inline
#endif
#endif

/* round(a * b / 2^31), ties away from zero, saturating. */
TINYC_INLINE int32_t tinyc_high_mul(int32_t a, int32_t b) {
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    const int64_t product = (int64_t)a * (int64_t)b;
    const int64_t nudge = product >= 0 ? (int64_t)(1 << 30) : (int64_t)1 - (1 << 30);
    return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

/* round(x / 2^exponent), ties away from zero; exponent in [0, 31]. */
TINYC_INLINE int32_t tinyc_rounding_shift(int32_t x, int32_t exponent) {
    const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1u);
    const int32_t remainder = x & mask;
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/* x * multiplier * 2^(shift - 31) with gemmlowp's double rounding. */
TINYC_INLINE int32_t tinyc_requantize(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return tinyc_rounding_shift(tinyc_high_mul((int32_t)((uint32_t)x << left), multiplier), right);
}

TINYC_INLINE int32_t tinyc_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : (x > high ? high : x);
}

#endif
