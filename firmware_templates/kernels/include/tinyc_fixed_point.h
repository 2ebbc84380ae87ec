/* Requantization. The C twin of tinyc/quantize/fixed_point.py: change both or neither. */
#ifndef TINYC_FIXED_POINT_H
#define TINYC_FIXED_POINT_H

#include <stdint.h>
#include <string.h>

#ifndef TINYC_KERNEL
/* One symbol per kernel: a profile can name it, and its code exists once for all layers. */
#if defined(__clang__)
#define TINYC_KERNEL static __attribute__((noinline))
#define TINYC_INLINE static inline __attribute__((always_inline, unused))
#elif defined(__GNUC__)
#define TINYC_KERNEL static __attribute__((noinline, noclone))
#define TINYC_INLINE static inline __attribute__((always_inline, unused))
#else
#define TINYC_KERNEL static
#define TINYC_INLINE static inline
#endif
#endif

/* round(x * multiplier / 2^31), ties towards plus infinity; multiplier > INT32_MIN. By halves, for
 * cores that have the lower word of a product only and would call a function for the upper one. */
TINYC_INLINE int32_t tinyc_scale_by_halves(int32_t x, int32_t multiplier) {
    const int32_t xh = x >> 16, mh = multiplier >> 16;
    const uint32_t xl = (uint32_t)x & 0xffffu, ml = (uint32_t)multiplier & 0xffffu;
    const int32_t s = (int32_t)xl * mh, t = xh * (int32_t)ml;
    /* The product is (xh * mh << 32) + ((s + t) << 16) + xl * ml; these are its bits from 16 on. */
    const uint32_t middle = ((xl * ml) >> 16) + ((uint32_t)s & 0xffffu) + ((uint32_t)t & 0xffffu) + 0x4000u;
    const uint32_t upper = (uint32_t)(xh * mh + (s >> 16) + (t >> 16)) + (middle >> 16);
    return (int32_t)(upper << 1 | (middle >> 15 & 1u));
}

/* The same. */
TINYC_INLINE int32_t tinyc_scale(int32_t x, int32_t multiplier) {
#if defined(__ARM_ARCH_6M__)
    return tinyc_scale_by_halves(x, multiplier);
#else
    return (int32_t)(((int64_t)x * (int64_t)multiplier + ((int64_t)1 << 30)) >> 31);
#endif
}

/* The same for all factors: the one product that does not fit saturates. */
TINYC_INLINE int32_t tinyc_high_mul(int32_t a, int32_t b) {
    return a == INT32_MIN && b == INT32_MIN ? INT32_MAX : tinyc_scale(a, b);
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
    return tinyc_rounding_shift(tinyc_scale((int32_t)((uint32_t)x << left), multiplier), right);
}

TINYC_INLINE int32_t tinyc_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : (x > high ? high : x);
}

#endif
