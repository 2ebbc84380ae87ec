/* The DSP instructions of ARMv7E-M as functions, and the same functions in plain C for every other
 * machine: a kernel written with them is tested on the host as it stands. */
#ifndef TINYC_DSP_H
#define TINYC_DSP_H

#include <stdint.h>
#include <string.h>

#include "tinyc_fixed_point.h"

#if defined(__GNUC__)
/* A word that may be read from or written to memory of any type. */
typedef uint32_t __attribute__((may_alias)) tinyc_word;
#else
typedef uint32_t tinyc_word;
#endif

/* Any alignment. A single LDR or STR: the builtin stays inline in freestanding mode too. */
TINYC_INLINE uint32_t tinyc_load_word(const void *from) {
    uint32_t word;
#if defined(__GNUC__)
    __builtin_memcpy(&word, from, sizeof word);
#else
    memcpy(&word, from, sizeof word);
#endif
    return word;
}

TINYC_INLINE void tinyc_store_word(void *to, uint32_t word) {
#if defined(__GNUC__)
    __builtin_memcpy(to, &word, sizeof word);
#else
    memcpy(to, &word, sizeof word);
#endif
}

/* The halves of a word as signed numbers. */
TINYC_INLINE int32_t tinyc_bottom(uint32_t x) { return (int16_t)(x & 0xffffu); }
TINYC_INLINE int32_t tinyc_top(uint32_t x) { return (int16_t)(x >> 16); }

#if defined(__ARM_FEATURE_DSP)

/* A function of assembly alone, and a parameter that only the assembly reads. Without `noipa` GCC concludes
 * from the C text what such a function leaves alone: memory, and registers that a caller need not save. */
#if defined(__clang__)
#define TINYC_ASSEMBLY static __attribute__((naked, noinline))
#else
#define TINYC_ASSEMBLY static __attribute__((naked, noinline, noclone, noipa))
#endif
#define TINYC_UNUSED __attribute__((unused))

/* `volatile` keeps the instructions in the order in which a kernel gives them: left to themselves,
 * compilers move the loads of a block to its top and run out of registers. */

/* The word at *from, which moves on. Aligned. */
TINYC_INLINE uint32_t tinyc_next_word(const tinyc_word **from) {
    uint32_t word;
    const tinyc_word *at = *from;
    __asm__ volatile("ldr %0, [%1], #4" : "=&r"(word), "+&r"(at) : : "memory");
    *from = at;
    return word;
}

/* The two words at *from, which moves on. Aligned. */
TINYC_INLINE void tinyc_next_words(const tinyc_word **from, uint32_t *first, uint32_t *second) {
    uint32_t a, b;
    const tinyc_word *at = *from;
    __asm__ volatile("ldrd %0, %1, [%2], #8" : "=&r"(a), "=&r"(b), "+&r"(at) : : "memory");
    *from = at;
    *first = a;
    *second = b;
}

/* The two pointers at *from, which moves on. */
TINYC_INLINE void tinyc_next_pointers(const int8_t *const **from, const int8_t **first, const int8_t **second) {
    const int8_t *a, *b;
    const int8_t *const *at = *from;
    __asm__ volatile("ldrd %0, %1, [%2], #8" : "=&r"(a), "=&r"(b), "+&r"(at) : : "memory");
    *from = at;
    *first = a;
    *second = b;
}

/* Bytes 0 and 2, sign-extended into the two halves. */
TINYC_INLINE uint32_t tinyc_sxtb16(uint32_t x) {
    uint32_t y;
    __asm__ volatile("sxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
}

/* Bytes 1 and 3, sign-extended into the two halves. */
TINYC_INLINE uint32_t tinyc_sxtb16_odd(uint32_t x) {
    uint32_t y;
    __asm__ volatile("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
}

/* Both of the above; the odd bytes take the place of the word. */
TINYC_INLINE void tinyc_split_bytes(uint32_t word, uint32_t *even, uint32_t *odd) {
    uint32_t y;
    __asm__ volatile("sxtb16 %0, %1\n\tsxtb16 %1, %1, ror #8" : "=&r"(y), "+r"(word));
    *even = y;
    *odd = word;
}

/* The bottom halves of x and y. */
TINYC_INLINE uint32_t tinyc_pack_bottoms(uint32_t x, uint32_t y) {
    uint32_t z;
    __asm__ volatile("pkhbt %0, %1, %2, lsl #16" : "=r"(z) : "r"(x), "r"(y));
    return z;
}

/* The top halves of x and y. */
TINYC_INLINE uint32_t tinyc_pack_tops(uint32_t x, uint32_t y) {
    uint32_t z;
    __asm__ volatile("pkhtb %0, %1, %2, asr #16" : "=r"(z) : "r"(y), "r"(x));
    return z;
}

/* Sums and differences of the halves; each wraps on its own. */
TINYC_INLINE uint32_t tinyc_sadd16(uint32_t x, uint32_t y) {
    uint32_t z;
    __asm__ volatile("sadd16 %0, %1, %2" : "=r"(z) : "r"(x), "r"(y));
    return z;
}

TINYC_INLINE uint32_t tinyc_ssub16(uint32_t x, uint32_t y) {
    uint32_t z;
    __asm__ volatile("ssub16 %0, %1, %2" : "=r"(z) : "r"(x), "r"(y));
    return z;
}

/* acc + the sum of the products of both halves; wraps. */
TINYC_INLINE uint32_t tinyc_smlad(uint32_t x, uint32_t y, uint32_t acc) {
    __asm__ volatile("smlad %0, %1, %2, %0" : "+r"(acc) : "r"(x), "r"(y));
    return acc;
}

/* Differences of the halves, saturated. */
TINYC_INLINE uint32_t tinyc_qsub16(uint32_t x, uint32_t y) {
    uint32_t z;
    __asm__ volatile("qsub16 %0, %1, %2" : "=r"(z) : "r"(x), "r"(y));
    return z;
}

/* acc + the sum of the products of both halves, in 64 bits. */
TINYC_INLINE uint64_t tinyc_smlald(uint32_t x, uint32_t y, uint64_t acc) {
    uint32_t lower = (uint32_t)acc, upper = (uint32_t)(acc >> 32);
    __asm__ volatile("smlald %0, %1, %2, %3" : "+r"(lower), "+r"(upper) : "r"(x), "r"(y));
    return (uint64_t)upper << 32 | lower;
}

/* round(x * y / 2^32), ties towards plus infinity. */
TINYC_INLINE int32_t tinyc_smmulr(int32_t x, int32_t y) {
    int32_t z;
    __asm__ volatile("smmulr %0, %1, %2" : "=r"(z) : "r"(x), "r"(y));
    return z;
}

/* x / 2, rounded down and clamped to int8. */
TINYC_INLINE int32_t tinyc_halve_to_s8(int32_t x) {
    int32_t y;
    __asm__ volatile("ssat %0, #8, %1, asr #1" : "=r"(y) : "r"(x) : "cc");
    return y;
}

#else

TINYC_INLINE uint32_t tinyc_next_word(const tinyc_word **from) { return *(*from)++; }

TINYC_INLINE void tinyc_next_words(const tinyc_word **from, uint32_t *first, uint32_t *second) {
    *first = *(*from)++;
    *second = *(*from)++;
}

TINYC_INLINE void tinyc_next_pointers(const int8_t *const **from, const int8_t **first, const int8_t **second) {
    *first = *(*from)++;
    *second = *(*from)++;
}

TINYC_INLINE uint32_t tinyc_pair(int32_t bottom, int32_t top) {
    return ((uint32_t)bottom & 0xffffu) | ((uint32_t)top << 16);
}

TINYC_INLINE uint32_t tinyc_sxtb16(uint32_t x) {
    return tinyc_pair((int8_t)(x & 0xffu), (int8_t)((x >> 16) & 0xffu));
}

TINYC_INLINE uint32_t tinyc_sxtb16_odd(uint32_t x) {
    return tinyc_pair((int8_t)((x >> 8) & 0xffu), (int8_t)(x >> 24));
}

TINYC_INLINE void tinyc_split_bytes(uint32_t word, uint32_t *even, uint32_t *odd) {
    *even = tinyc_sxtb16(word);
    *odd = tinyc_sxtb16_odd(word);
}

TINYC_INLINE uint32_t tinyc_pack_bottoms(uint32_t x, uint32_t y) { return (x & 0xffffu) | (y << 16); }

TINYC_INLINE uint32_t tinyc_pack_tops(uint32_t x, uint32_t y) { return (x >> 16) | (y & 0xffff0000u); }

TINYC_INLINE uint32_t tinyc_sadd16(uint32_t x, uint32_t y) {
    return ((x + y) & 0xffffu) | ((x & 0xffff0000u) + (y & 0xffff0000u));
}

TINYC_INLINE uint32_t tinyc_ssub16(uint32_t x, uint32_t y) {
    return ((x - y) & 0xffffu) | ((x & 0xffff0000u) - (y & 0xffff0000u));
}

TINYC_INLINE uint32_t tinyc_qsub16(uint32_t x, uint32_t y) {
    return tinyc_pair(tinyc_clamp(tinyc_bottom(x) - tinyc_bottom(y), -32768, 32767),
                      tinyc_clamp(tinyc_top(x) - tinyc_top(y), -32768, 32767));
}

TINYC_INLINE uint64_t tinyc_smlald(uint32_t x, uint32_t y, uint64_t acc) {
    const int64_t sum = (int64_t)tinyc_bottom(x) * tinyc_bottom(y) + (int64_t)tinyc_top(x) * tinyc_top(y);
    return acc + (uint64_t)sum;
}

TINYC_INLINE uint32_t tinyc_smlad(uint32_t x, uint32_t y, uint32_t acc) {
    return acc + (uint32_t)(tinyc_bottom(x) * tinyc_bottom(y)) + (uint32_t)(tinyc_top(x) * tinyc_top(y));
}

TINYC_INLINE int32_t tinyc_smmulr(int32_t x, int32_t y) {
    return (int32_t)(((int64_t)x * y + INT64_C(0x80000000)) >> 32);
}

TINYC_INLINE int32_t tinyc_halve_to_s8(int32_t x) { return tinyc_clamp(x >> 1, -128, 127); }

#endif

/* int8(tinyc_requantize(acc, multiplier, -(right + 1)) + output_offset), saturated, for
 * |acc| < 2^30 and right in [0, 30]. `offset` is 2 * output_offset + 1.
 *
 * The rounding doubling high multiply rounds ties towards plus infinity, as SMMULR does; twice the
 * accumulator makes up for its missing doubling. The rounding shift rounds ties away from zero,
 * which for a negative x is adding the half less one: floor((x + (x < 0 ? -1 : 0) + 2^right) /
 * 2^(right + 1)), taken in two steps so that the last goes with the saturation. */
TINYC_INLINE int8_t tinyc_output_s8(uint32_t acc, int32_t multiplier, int32_t right, int32_t offset) {
    const int32_t x = tinyc_smmulr((int32_t)(acc << 1), multiplier);
    return (int8_t)tinyc_halve_to_s8(((x + (x >> 31)) >> right) + offset);
}

/* The fused activation, where it is narrower than int8. */
TINYC_INLINE void tinyc_clamp_s8(int8_t *values, int32_t count, int32_t low, int32_t high) {
    if (low > -128 || high < 127) {
        for (int32_t i = 0; i < count; i++) {
            values[i] = (int8_t)tinyc_clamp(values[i], low, high);
        }
    }
}

#endif
