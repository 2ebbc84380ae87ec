/* Arithmetic on words of four int8 elements, and its plain C twins. */
#ifndef TINYC_BYTES_H
#define TINYC_BYTES_H

#include <stdint.h>

#include "tinyc_dsp.h"

#if defined(__ARM_FEATURE_DSP)

/* The word at *from, which moves on. Any alignment. */
TINYC_INLINE uint32_t tinyc_take_word(const int8_t **from) {
    uint32_t word;
    const int8_t *at = *from;
    __asm__ volatile("ldr %0, [%1], #4" : "=&r"(word), "+&r"(at) : : "memory");
    *from = at;
    return word;
}

/* Sets the word at *to, which moves on. Any alignment. */
TINYC_INLINE void tinyc_put_word(int8_t **to, uint32_t word) {
    int8_t *at = *to;
    __asm__ volatile("str %1, [%0], #4" : "+&r"(at) : "r"(word) : "memory");
    *to = at;
}

/* The words at `from` and `step` bytes on; where the next one would be. Any alignment. */
TINYC_INLINE const int8_t *tinyc_two_words(const int8_t *from, int32_t step, uint32_t *first, uint32_t *second) {
    uint32_t a, b;
    __asm__ volatile("ldr %0, [%2]\n\tldr %1, [%2, %3]\n\tadd %2, %2, %3, lsl #1"
                     : "=&r"(a), "=&r"(b), "+&r"(from)
                     : "r"(step)
                     : "memory");
    *first = a;
    *second = b;
    return from;
}

/* Elements 0 and 2 times 256, one in each half; `mask` is 0xff00ff00. */
TINYC_INLINE uint32_t tinyc_even_times_256(uint32_t word, uint32_t mask) {
    uint32_t halves;
    __asm__ volatile("and %0, %1, %2, lsl #8" : "=r"(halves) : "r"(mask), "r"(word));
    return halves;
}

/* acc + floor(x * bottom half of y / 2^16); must not overflow. */
TINYC_INLINE int32_t tinyc_smlawb(int32_t x, uint32_t y, int32_t acc) {
    int32_t z;
    __asm__ volatile("smlawb %0, %1, %2, %3" : "=r"(z) : "r"(x), "r"(y), "r"(acc));
    return z;
}

/* acc + floor(x * top half of y / 2^16); must not overflow. */
TINYC_INLINE int32_t tinyc_smlawt(int32_t x, uint32_t y, int32_t acc) {
    int32_t z;
    __asm__ volatile("smlawt %0, %1, %2, %3" : "=r"(z) : "r"(x), "r"(y), "r"(acc));
    return z;
}

/* The product of the bottom halves. */
TINYC_INLINE int32_t tinyc_smulbb(uint32_t x, uint32_t y) {
    int32_t z;
    __asm__ volatile("smulbb %0, %1, %2" : "=r"(z) : "r"(x), "r"(y));
    return z;
}

/* The product of the top halves. */
TINYC_INLINE int32_t tinyc_smultt(uint32_t x, uint32_t y) {
    int32_t z;
    __asm__ volatile("smultt %0, %1, %2" : "=r"(z) : "r"(x), "r"(y));
    return z;
}

/* acc + round(x * y / 2^32), ties towards plus infinity; must not overflow. */
TINYC_INLINE int32_t tinyc_smmlar(int32_t x, int32_t y, int32_t acc) {
    int32_t z;
    __asm__ volatile("smmlar %0, %1, %2, %3" : "=r"(z) : "r"(x), "r"(y), "r"(acc));
    return z;
}

/* acc + the sign-extended bytes 0 and 2 of x, in halves. */
TINYC_INLINE uint32_t tinyc_sxtab16(uint32_t acc, uint32_t x) {
    uint32_t z;
    __asm__ volatile("sxtab16 %0, %1, %2" : "=r"(z) : "r"(acc), "r"(x));
    return z;
}

/* acc + the sign-extended bytes 1 and 3 of x, in halves. */
TINYC_INLINE uint32_t tinyc_sxtab16_odd(uint32_t acc, uint32_t x) {
    uint32_t z;
    __asm__ volatile("sxtab16 %0, %1, %2, ror #8" : "=r"(z) : "r"(acc), "r"(x));
    return z;
}

/* x clamped to int8. */
TINYC_INLINE int32_t tinyc_to_s8(int32_t x) {
    int32_t y;
    __asm__ volatile("ssat %0, #8, %1" : "=r"(y) : "r"(x) : "cc");
    return y;
}

/* floor(x / 2^20) clamped to int8. */
TINYC_INLINE int32_t tinyc_q20_to_s8(int32_t x) {
    int32_t y;
    __asm__ volatile("ssat %0, #8, %1, asr #20" : "=r"(y) : "r"(x) : "cc");
    return y;
}

/* floor(x / 2^14) clamped to int8. */
TINYC_INLINE int32_t tinyc_q14_to_s8(int32_t x) {
    int32_t y;
    __asm__ volatile("ssat %0, #8, %1, asr #14" : "=r"(y) : "r"(x) : "cc");
    return y;
}

/* Zeros before the first one; x is not 0. */
TINYC_INLINE int32_t tinyc_leading_zeros(uint32_t x) {
    int32_t zeros;
    __asm__ volatile("clz %0, %1" : "=r"(zeros) : "r"(x));
    return zeros;
}

/* The low bytes of four numbers. */
TINYC_INLINE uint32_t tinyc_join_bytes(int32_t a, int32_t b, int32_t c, int32_t d) {
    __asm__ volatile("bfi %0, %1, #8, #8\n\tbfi %0, %2, #16, #8\n\tbfi %0, %3, #24, #8"
                     : "+&r"(a)
                     : "r"(b), "r"(c), "r"(d));
    return (uint32_t)a;
}

/* Per byte, the larger int8. */
TINYC_INLINE uint32_t tinyc_max_bytes(uint32_t x, uint32_t y) {
    uint32_t z;
    __asm__ volatile("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(z) : "r"(x), "r"(y) : "cc");
    return z;
}

/* Per byte, the smaller int8. */
TINYC_INLINE uint32_t tinyc_min_bytes(uint32_t x, uint32_t y) {
    uint32_t z;
    __asm__ volatile("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(z) : "r"(x), "r"(y) : "cc");
    return z;
}

#else

TINYC_INLINE uint32_t tinyc_take_word(const int8_t **from) {
    const uint32_t word = tinyc_load_word(*from);
    *from += 4;
    return word;
}

TINYC_INLINE void tinyc_put_word(int8_t **to, uint32_t word) {
    tinyc_store_word(*to, word);
    *to += 4;
}

TINYC_INLINE const int8_t *tinyc_two_words(const int8_t *from, int32_t step, uint32_t *first, uint32_t *second) {
    *first = tinyc_load_word(from);
    *second = tinyc_load_word(from + step);
    return from + 2 * step;
}

TINYC_INLINE uint32_t tinyc_even_times_256(uint32_t word, uint32_t mask) { return word << 8 & mask; }

TINYC_INLINE int32_t tinyc_smlawb(int32_t x, uint32_t y, int32_t acc) {
    return acc + (int32_t)((int64_t)x * tinyc_bottom(y) >> 16);
}

TINYC_INLINE int32_t tinyc_smlawt(int32_t x, uint32_t y, int32_t acc) {
    return acc + (int32_t)((int64_t)x * tinyc_top(y) >> 16);
}

TINYC_INLINE int32_t tinyc_smulbb(uint32_t x, uint32_t y) { return tinyc_bottom(x) * tinyc_bottom(y); }

TINYC_INLINE int32_t tinyc_smultt(uint32_t x, uint32_t y) { return tinyc_top(x) * tinyc_top(y); }

TINYC_INLINE int32_t tinyc_smmlar(int32_t x, int32_t y, int32_t acc) { return acc + tinyc_smmulr(x, y); }

TINYC_INLINE uint32_t tinyc_sxtab16(uint32_t acc, uint32_t x) { return tinyc_sadd16(acc, tinyc_sxtb16(x)); }

TINYC_INLINE uint32_t tinyc_sxtab16_odd(uint32_t acc, uint32_t x) {
    return tinyc_sadd16(acc, tinyc_sxtb16_odd(x));
}

TINYC_INLINE int32_t tinyc_to_s8(int32_t x) { return tinyc_clamp(x, -128, 127); }

TINYC_INLINE int32_t tinyc_q20_to_s8(int32_t x) { return tinyc_to_s8(x >> 20); }

TINYC_INLINE int32_t tinyc_q14_to_s8(int32_t x) { return tinyc_to_s8(x >> 14); }

TINYC_INLINE int32_t tinyc_leading_zeros(uint32_t x) {
    int32_t zeros = 0;
    while (x < 0x80000000u) {
        x <<= 1;
        zeros++;
    }
    return zeros;
}

TINYC_INLINE uint32_t tinyc_join_bytes(int32_t a, int32_t b, int32_t c, int32_t d) {
    return ((uint32_t)a & 0xffu) | ((uint32_t)b & 0xffu) << 8 | ((uint32_t)c & 0xffu) << 16 | (uint32_t)d << 24;
}

/* Byte `at` of a word as a number. */
TINYC_INLINE int32_t tinyc_byte(uint32_t word, int32_t at) { return (int8_t)(word >> (8 * at) & 0xffu); }

TINYC_INLINE uint32_t tinyc_max_bytes(uint32_t x, uint32_t y) {
    uint32_t z = 0;
    for (int32_t i = 0; i < 4; i++) {
        z |= ((tinyc_byte(x, i) > tinyc_byte(y, i) ? x : y) & 0xffu << (8 * i));
    }
    return z;
}

TINYC_INLINE uint32_t tinyc_min_bytes(uint32_t x, uint32_t y) {
    uint32_t z = 0;
    for (int32_t i = 0; i < 4; i++) {
        z |= ((tinyc_byte(x, i) < tinyc_byte(y, i) ? x : y) & 0xffu << (8 * i));
    }
    return z;
}

#endif

/* The same int8 four times. */
TINYC_INLINE uint32_t tinyc_four_bytes(int32_t x) { return ((uint32_t)x & 0xffu) * 0x01010101u; }

TINYC_INLINE uint32_t tinyc_clamp_word(uint32_t word, uint32_t lows, uint32_t highs) {
    return tinyc_min_bytes(tinyc_max_bytes(word, lows), highs);
}

/* The fused activation, where it is narrower than int8. At least four elements; the last four may
   overlap those before. */
TINYC_INLINE void tinyc_clamp_bytes(int8_t *values, int32_t count, int32_t low, int32_t high) {
    if (low > -128 || high < 127) {
        const uint32_t lows = tinyc_four_bytes(low), highs = tinyc_four_bytes(high);
        int8_t *const last = values + count - 4;
        while (values < last) {
            tinyc_put_word(&values, tinyc_clamp_word(tinyc_load_word(values), lows, highs));
        }
        tinyc_store_word(last, tinyc_clamp_word(tinyc_load_word(last), lows, highs));
    }
}

#endif
