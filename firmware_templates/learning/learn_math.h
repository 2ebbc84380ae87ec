/* Arithmetic of the learning code. The C twin of tinyc/learning/float_math.py: change both or neither.
 *
 * Everything is float32 with one rounding per operation, in the order written; compile it with
 * -ffp-contract=off, so that no compiler fuses a product and a sum. No libm. */
#ifndef LEARN_MATH_H
#define LEARN_MATH_H

#include <stdint.h>

#include "tinyc_float_math.h"

#if defined(__GNUC__)
#define LEARN_INLINE static inline __attribute__((always_inline, unused))
#define LEARN_ALIGNED __attribute__((aligned(8)))
#else
#define LEARN_INLINE static inline
#define LEARN_ALIGNED
#endif

LEARN_INLINE uint32_t learn_is_finite(float x) { return (tinyc_float_bits(x) & 0x7f800000u) != 0x7f800000u; }

/* e^x; x is clamped to [-87, 88] and NaN counts as -87, so that sums are neither 0 nor infinite. */
LEARN_INLINE float learn_exp(float x) {
    if (!(x > -87.0f)) x = -87.0f;
    return tinyc_float_exp(x > 88.0f ? 88.0f : x);
}

/* The square root; 0 for x < FLT_MIN, negative and NaN. */
LEARN_INLINE float learn_sqrt(float x) { return x >= 1.17549435e-38f ? tinyc_float_sqrt(x) : 0.0f; }

/* A generator of 32 bits (Marsaglia 2003, xorshift): the next state, never 0 after a state other than 0. */
LEARN_INLINE uint32_t learn_random(uint32_t state) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* out[c] = rows[c * length + 0] * x[0] + rows[c * length + 1] * x[1] + ... for `count` rows, each summed from
 * the first product to the last. Four rows at a time, so that one load of x serves four of them, and four
 * elements per turn of the loop: the builds turn the compiler's own unrolling off. */
LEARN_INLINE void learn_dots(const float *rows, uint32_t count, const float *x, uint32_t length, float *out) {
    const uint32_t whole = 1u + ((length - 1u) & ~3u);
    const uint32_t fours = count & ~3u;
    uint32_t c = 0;
    for (; c < fours; c += 4u, rows += 4u * length) {
        const float *row = rows;
        float a = row[0] * x[0], b = row[length] * x[0];
        float d = row[2u * length] * x[0], e = row[3u * length] * x[0];
        uint32_t j = 1;
#define LEARN_DOTS_STEP(k)                       \
    do {                                         \
        const float xj = x[j + (k)];             \
        a = a + row[j + (k)] * xj;               \
        b = b + row[length + j + (k)] * xj;      \
        d = d + row[2u * length + j + (k)] * xj; \
        e = e + row[3u * length + j + (k)] * xj; \
    } while (0)
        for (; j < whole; j += 4u) {
            LEARN_DOTS_STEP(0u);
            LEARN_DOTS_STEP(1u);
            LEARN_DOTS_STEP(2u);
            LEARN_DOTS_STEP(3u);
        }
        for (; j < length; j++) LEARN_DOTS_STEP(0u);
#undef LEARN_DOTS_STEP
        out[c] = a;
        out[c + 1u] = b;
        out[c + 2u] = d;
        out[c + 3u] = e;
    }
    for (; c < count; c++, rows += length) {
        float a = rows[0] * x[0];
        for (uint32_t j = 1; j < length; j++) a = a + rows[j] * x[j];
        out[c] = a;
    }
}

/* The index of the highest score, the lowest of several. */
LEARN_INLINE uint32_t learn_best(const float *scores, uint32_t count) {
    uint32_t best = 0;
    for (uint32_t c = 1; c < count; c++) {
        if (scores[c] > scores[best]) best = c;
    }
    return best;
}

LEARN_INLINE uint32_t learn_all_finite(const float *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!learn_is_finite(values[i])) return 0;
    }
    return 1;
}

/* acc + the sum of the products of the int16 halves of x and y. */
LEARN_INLINE int32_t learn_smlad(uint32_t x, uint32_t y, int32_t acc) {
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
    __asm__("smlad %0, %1, %2, %0" : "+r"(acc) : "r"(x), "r"(y));
    return acc;
#else
    acc += (int32_t)(int16_t)(x & 0xffffu) * (int16_t)(y & 0xffffu);
    return acc + (int32_t)(int16_t)(x >> 16) * (int16_t)(y >> 16);
#endif
}

#endif
