/* What the kernels for vectors of 16 bytes (Armv8.1-M MVE) share. Loops are assembly, so that all compilers
 * give the same instructions; each has a twin in C, which every other machine runs. */
#ifndef TINYC_MVE_H
#define TINYC_MVE_H

#include <stdint.h>
#include <string.h>

#include "tinyc_fixed_point.h"

/* How the sums of each channel become outputs. `right` is null: y = int8((constant + high) >> shift), where
 * high is the upper word of sum * multiplier. Otherwise the double rounding, with negative right shifts:
 * y = clamp((r + constant + (sum < 0 ? -1 : 0)) >> -right), where r is sum * multiplier / 2^31, rounded. Both
 * are proved for every sum; int8() saturates. The pointers are first: the assembly counts on it. */
struct tinyc_mve_rounding {
    const int32_t *multiplier, *constant, *right;
    int32_t shift; /* negative */
    int32_t low, high;
    int32_t step; /* 4, or 0 where four entries serve for all channels */
};

#if defined(__ARM_FEATURE_MVE)

/* A function of assembly alone, and a parameter that only the assembly reads. Without `noipa` GCC concludes
 * from the C text what such a function leaves alone. */
#if defined(__clang__)
#define TINYC_MVE_NAKED static __attribute__((naked, noinline))
#else
#define TINYC_MVE_NAKED static __attribute__((naked, noinline, noclone, noipa))
#endif
#define TINYC_MVE_UNUSED __attribute__((unused))

#define TINYC_MVE_STRING(x) #x
#define TINYC_MVE_NUMBER(x) TINYC_MVE_STRING(x)

/* Copies `count` bytes, 0 or more. */
TINYC_INLINE void tinyc_mve_copy(int8_t *to, const int8_t *from, int32_t count) {
    __asm__ volatile(
        "wlstp.8 lr, %2, 2f\n"
        "1:\n\t"
        "vldrb.8 q0, [%1], #16\n\t"
        "vstrb.8 q0, [%0], #16\n\t"
        "letp lr, 1b\n"
        "2:"
        : "+r"(to), "+r"(from)
        : "r"(count)
        : "lr", "q0", "memory");
}

/* Copies `rows` runs of `count` bytes, both 1 or more, that lie `step` bytes apart, to one run. */
TINYC_INLINE void tinyc_mve_copy_rows(int8_t *to, const int8_t *from, int32_t count, int32_t rows,
                                      int32_t step) {
    const int8_t *at;
    int8_t *target;
    __asm__ volatile(
        "1:\n\t"
        "mov %[at], %[from]\n\t"
        "mov %[target], %[to]\n\t"
        "dlstp.8 lr, %[count]\n"
        "2:\n\t"
        "vldrb.8 q0, [%[at]], #16\n\t"
        "vstrb.8 q0, [%[target]], #16\n\t"
        "letp lr, 2b\n\t"
        "add %[to], %[to], %[count]\n\t"
        "add %[from], %[from], %[step]\n\t"
        "subs %[rows], %[rows], #1\n\t"
        "bne 1b"
        : [to] "+r"(to), [from] "+r"(from), [rows] "+r"(rows), [at] "=&r"(at), [target] "=&r"(target)
        : [count] "r"(count), [step] "r"(step)
        : "lr", "q0", "cc", "memory");
}

/* Sets `count` bytes, 0 or more. */
TINYC_INLINE void tinyc_mve_fill(int8_t *to, int32_t value, int32_t count) {
    __asm__ volatile(
        "vdup.8 q0, %1\n\t"
        "wlstp.8 lr, %2, 2f\n"
        "1:\n\t"
        "vstrb.8 q0, [%0], #16\n\t"
        "letp lr, 1b\n"
        "2:"
        : "+r"(to)
        : "r"(value), "r"(count)
        : "lr", "q0", "memory");
}

#else

TINYC_INLINE void tinyc_mve_copy(int8_t *to, const int8_t *from, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        to[i] = from[i];
    }
}

TINYC_INLINE void tinyc_mve_copy_rows(int8_t *to, const int8_t *from, int32_t count, int32_t rows,
                                      int32_t step) {
    for (; rows > 0; rows--, to += count, from += step) {
        tinyc_mve_copy(to, from, count);
    }
}

TINYC_INLINE void tinyc_mve_fill(int8_t *to, int32_t value, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        to[i] = (int8_t)value;
    }
}

/* One output of a channel. */
TINYC_INLINE int8_t tinyc_mve_output(const struct tinyc_mve_rounding *rounding, int32_t channel, int32_t sum) {
    const int32_t multiplier = rounding->multiplier[channel], constant = rounding->constant[channel];
    if (rounding->right == 0) {
        const int32_t high = (int32_t)(((int64_t)sum * multiplier) >> 32);
        return (int8_t)tinyc_clamp((constant + high) >> -rounding->shift, INT8_MIN, INT8_MAX);
    }
    const int32_t scaled = tinyc_scale(sum, multiplier) + constant + (sum < 0 ? -1 : 0);
    return (int8_t)tinyc_clamp(scaled >> -rounding->right[channel], rounding->low, rounding->high);
}

#endif

#endif
