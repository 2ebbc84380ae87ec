/* What the kernels for cores without multiply-accumulate instructions share. */
#ifndef TINYC_SCALAR_H
#define TINYC_SCALAR_H

#include <stdint.h>
#include <string.h>

#include "tinyc_fixed_point.h"

/* Words before the weights of each output channel: the bias, which contains the input offset times the
 * weights; the multiplier; the right shift + 256 * the number of extras, which come after the words of
 * four weights each as 256 * tap + the weight's byte (tinyc_scalar_panel.h). */
#define TINYC_SCALAR_HEAD 3u

#if defined(__ARM_ARCH_6M__)
/* Functions in assembly: GCC has no register above r7 for an asm statement when it optimizes for size. */
#define TINYC_SCALAR_NAKED __attribute__((naked))
#define TINYC_SCALAR_UNUSED __attribute__((unused))
#endif

/* What all outputs of a layer share. */
struct tinyc_scalar_range {
    int32_t offset, low, high;
};

/* round(x * multiplier / 2^31), ties towards plus infinity, for |x| < 2^29 and multiplier >= 0. */
TINYC_INLINE int32_t tinyc_scalar_scale(int32_t x, int32_t multiplier) {
#if defined(__riscv_mul)
    return tinyc_scale(x, multiplier);
#else
    /* Four products of halves of 2 * x: a core that has the lower word of a product only would call
     * a function for the upper one. */
    const int32_t xh = x >> 15, mh = multiplier >> 16;
    const uint32_t xl = ((uint32_t)x << 1) & 0xffffu, ml = (uint32_t)multiplier & 0xffffu;
    const uint32_t middle = xl * (uint32_t)mh + ((xl * ml) >> 16);
    const int32_t carry = xh * (int32_t)ml + (int32_t)(middle & 0xffffu);
    return xh * mh + (int32_t)(middle >> 16) + ((carry + 0x8000) >> 16);
#endif
}

/* One output; right in [1, 31]. The rounding shift rounds ties away from zero, which for a negative
 * number is adding the half less one. */
TINYC_INLINE int8_t tinyc_scalar_output(uint32_t acc, int32_t multiplier, int32_t right,
                                        const struct tinyc_scalar_range *range) {
    const int32_t scaled = tinyc_scalar_scale((int32_t)acc, multiplier);
    const int32_t half = (int32_t)((1u << right) >> 1);
    const int32_t shifted = (scaled + (scaled >> 31) + half) >> right;
    return (int8_t)tinyc_clamp(shifted + range->offset, range->low, range->high);
}

/* One weight of a word as a factor of sums that wrap. */
TINYC_INLINE uint32_t tinyc_scalar_weight(uint32_t word, int32_t index) {
    return (uint32_t)((int32_t)(word << (24 - 8 * index)) >> 24);
}

#endif
