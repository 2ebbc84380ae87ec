/* Inner loops for cores without multiply-accumulate instructions: two products by one multiplication.
 *
 * A panel holds, for each tap, the word x + 65536 * y of two pixels. A weight times that word is the
 * product with x in the lower half and the one with y above it, as long as the sum over a group of
 * taps stays within 16 bits: groups end where sums of |weight| * 128 could leave them. */
#ifndef TINYC_SCALAR_H
#define TINYC_SCALAR_H

#include <stdint.h>
#include <string.h>

#include "tinyc_fixed_point.h"

/* Of one output channel, before its words of four weights each, the last filled with zeros. */
struct tinyc_scalar_channel {
    uint32_t bias; /* contains the input offset times the weights */
    int32_t multiplier;
    int32_t shift; /* the right shift, and TINYC_SCALAR_PAIRS where a group has two taps, not four */
};

#define TINYC_SCALAR_PAIRS 256
#define TINYC_SCALAR_HEAD 3u

/* round(x * multiplier / 2^31), ties towards plus infinity, for |x| < 2^30 and multiplier >= 0. */
TINYC_INLINE int32_t tinyc_scalar_scale(int32_t x, int32_t multiplier) {
#if defined(__riscv_mul)
    return tinyc_scale(x, multiplier);
#else
    /* Four products of halves of 2 * x: a core that has the lower word of a product only would call
     * a function for this. */
    const int32_t xh = x >> 15, mh = multiplier >> 16;
    const uint32_t xl = ((uint32_t)x << 1) & 0xffffu, ml = (uint32_t)multiplier & 0xffffu;
    const uint32_t middle = xl * (uint32_t)mh + ((xl * ml) >> 16);
    const int32_t carry = xh * (int32_t)ml + (int32_t)(middle & 0xffffu);
    return xh * mh + (int32_t)(middle >> 16) + ((carry + 0x8000) >> 16);
#endif
}

/* One output: exact for |acc| < 2^29 and right in [0, 31]. */
TINYC_INLINE int8_t tinyc_scalar_output(uint32_t acc, int32_t multiplier, int32_t right, int32_t offset,
                                        int32_t low, int32_t high) {
    const int32_t scaled = tinyc_rounding_shift(tinyc_scalar_scale((int32_t)acc, multiplier), right);
    return (int8_t)tinyc_clamp(scaled + offset, low, high);
}

TINYC_INLINE int32_t tinyc_scalar_low(uint32_t sums) { return (int16_t)(sums & 0xffffu); }

/* The upper of two sums; the lower one, when negative, has borrowed from it. */
TINYC_INLINE int32_t tinyc_scalar_high(uint32_t sums, int32_t low) {
    return (int32_t)(sums - (uint32_t)low) >> 16;
}

/* The four weights of a word. */
TINYC_INLINE uint32_t tinyc_scalar_byte0(uint32_t word) { return (uint32_t)(int32_t)(int8_t)(word & 0xffu); }
TINYC_INLINE uint32_t tinyc_scalar_byte1(uint32_t word) { return (uint32_t)((int32_t)(word << 16) >> 24); }
TINYC_INLINE uint32_t tinyc_scalar_byte2(uint32_t word) { return (uint32_t)((int32_t)(word << 8) >> 24); }
TINYC_INLINE uint32_t tinyc_scalar_byte3(uint32_t word) { return (uint32_t)((int32_t)word >> 24); }

struct tinyc_scalar_sums {
    int32_t x, y;
};

/* The weights at `weights` times the panel, which ends at `end`; at least one word. */
TINYC_INLINE struct tinyc_scalar_sums tinyc_scalar_fours(const uint32_t *weights, const uint32_t *panel,
                                                         const uint32_t *end) {
    struct tinyc_scalar_sums sums = {0, 0};
    do {
        const uint32_t w = *weights++;
        uint32_t both = tinyc_scalar_byte0(w) * panel[0];
        both += tinyc_scalar_byte1(w) * panel[1];
        both += tinyc_scalar_byte2(w) * panel[2];
        both += tinyc_scalar_byte3(w) * panel[3];
        panel += 4;
        const int32_t x = tinyc_scalar_low(both);
        sums.x += x;
        sums.y += tinyc_scalar_high(both, x);
    } while (panel != end);
    return sums;
}

/* The same in groups of two. */
TINYC_INLINE struct tinyc_scalar_sums tinyc_scalar_pairs(const uint32_t *weights, const uint32_t *panel,
                                                         const uint32_t *end) {
    struct tinyc_scalar_sums sums = {0, 0};
    do {
        const uint32_t w = *weights++;
        const uint32_t first = tinyc_scalar_byte0(w) * panel[0] + tinyc_scalar_byte1(w) * panel[1];
        const uint32_t second = tinyc_scalar_byte2(w) * panel[2] + tinyc_scalar_byte3(w) * panel[3];
        panel += 4;
        const int32_t x = tinyc_scalar_low(first), z = tinyc_scalar_low(second);
        sums.x += x + z;
        sums.y += tinyc_scalar_high(first, x) + tinyc_scalar_high(second, z);
    } while (panel != end);
    return sums;
}

#endif
