/* Convolution for cores without multiply-accumulate instructions: two products by one multiplication.
 *
 * A panel holds, for each tap, the word x + 65536 * y of two pixels. A weight times that word is the
 * product with x in the lower half and the one with y above it, as long as the sum over a group of
 * four taps stays within 16 bits. Inputs are at least -128, so that it does while the magnitudes of
 * the group's weights sum up to 255 at most; weights that are too many for that are zero in the group
 * and come on their own, as extras. */
#ifndef TINYC_SCALAR_PANEL_H
#define TINYC_SCALAR_PANEL_H

#include <stdint.h>

#include "tinyc_scalar.h"

/* Adds the sum of a group. Its upper half alone is that of y, once what a negative lower half has
 * borrowed is rounded away; all of it is x + 65536 * y, from which x follows in the end. */
TINYC_INLINE void tinyc_scalar_add(uint32_t both, uint32_t *all, uint32_t *y) {
    *all += both;
    *y += (uint32_t)((int32_t)(both + 0x8000u) >> 16);
}

/* Stores the outputs of one channel, after its extras, to `x` and, unless it is the same, to `y`; answers
 * where the next channel's words begin. `length` is that of the panel in words of weights. */
TINYC_INLINE const uint32_t *tinyc_scalar_store(const struct tinyc_scalar_range *range, const uint32_t *head,
                                                uint32_t length, const uint32_t *panel, uint32_t all,
                                                uint32_t sum_y, int8_t *x, int8_t *y) {
    const uint32_t *words = head + TINYC_SCALAR_HEAD + length;
    for (uint32_t extras = head[2] >> 8; extras != 0u; extras--) {
        const uint32_t extra = *words++;
        tinyc_scalar_add(tinyc_scalar_weight(extra, 0) * panel[extra >> 8], &all, &sum_y);
    }
    const uint32_t bias = head[0], sum_x = all - (sum_y << 16);
    const int32_t multiplier = (int32_t)head[1], right = (int32_t)(head[2] & 0xffu);
    *x = tinyc_scalar_output(sum_x + bias, multiplier, right, range);
    if (y != x) {
        *y = tinyc_scalar_output(sum_y + bias, multiplier, right, range);
    }
    return words;
}

#if defined(__ARM_ARCH_6M__)

/* The words of four weights at `weights` times the panel, which ends at `end`: the sum of the y in the
 * upper word of the answer, that of x + 65536 * y in the lower one. At least one word. Compilers keep
 * less in the eight lower registers, and leave the others unused. */
TINYC_KERNEL TINYC_SCALAR_NAKED uint64_t tinyc_scalar_dot(const uint32_t *weights TINYC_SCALAR_UNUSED,
                                                          const uint32_t *panel TINYC_SCALAR_UNUSED,
                                                          const uint32_t *end TINYC_SCALAR_UNUSED) {
    __asm__ volatile(
        ".syntax unified\n\t"
        "push {r4, r5, r6, r7, lr}\n\t"
        "mov r4, r8\n\t"
        "push {r4}\n\t"
        "movs r4, #128\n\t"
        "lsls r4, r4, #8\n\t"
        "mov r8, r4\n\t" /* half of the lower half */
        "movs r7, #0\n\t" /* the sum of y */
        "mov r12, r7\n\t" /* that of x + 65536 * y */
        "mov lr, r2\n"
        "1:\n\t"
        "ldm r0!, {r4}\n\t"
        "ldm r1!, {r2, r3}\n\t"
        "sxtb r5, r4\n\t"
        "muls r5, r2, r5\n\t"
        "lsls r6, r4, #16\n\t"
        "asrs r6, r6, #24\n\t"
        "muls r6, r3, r6\n\t"
        "adds r5, r5, r6\n\t"
        "ldm r1!, {r2, r3}\n\t"
        "lsls r6, r4, #8\n\t"
        "asrs r6, r6, #24\n\t"
        "muls r6, r2, r6\n\t"
        "adds r5, r5, r6\n\t"
        "asrs r4, r4, #24\n\t"
        "muls r4, r3, r4\n\t"
        "adds r5, r5, r4\n\t"
        "add r12, r5\n\t"
        "add r5, r8\n\t"
        "asrs r5, r5, #16\n\t"
        "adds r7, r7, r5\n\t"
        "cmp r1, lr\n\t"
        "bne 1b\n\t"
        "mov r0, r12\n\t"
        "movs r1, r7\n\t"
        "pop {r4}\n\t"
        "mov r8, r4\n\t"
        "pop {r4, r5, r6, r7, pc}");
}

#else

/* Sums of two channels with one panel: of y, and of x + 65536 * y. */
struct tinyc_scalar_sums {
    uint32_t all0, y0, all1, y1;
};

/* The weights of both, a byte each, times the panel, which ends at `end`. At least four taps. */
TINYC_INLINE struct tinyc_scalar_sums tinyc_scalar_dots(const int8_t *first, const int8_t *second,
                                                        const uint32_t *panel, const uint32_t *end) {
    struct tinyc_scalar_sums sums = {0u, 0u, 0u, 0u};
    do {
        uint32_t both0 = (uint32_t)(int32_t)first[0] * panel[0];
        uint32_t both1 = (uint32_t)(int32_t)second[0] * panel[0];
        both0 += (uint32_t)(int32_t)first[1] * panel[1];
        both1 += (uint32_t)(int32_t)second[1] * panel[1];
        both0 += (uint32_t)(int32_t)first[2] * panel[2];
        both1 += (uint32_t)(int32_t)second[2] * panel[2];
        both0 += (uint32_t)(int32_t)first[3] * panel[3];
        both1 += (uint32_t)(int32_t)second[3] * panel[3];
        first += 4;
        second += 4;
        panel += 4;
        tinyc_scalar_add(both0, &sums.all0, &sums.y0);
        tinyc_scalar_add(both1, &sums.all1, &sums.y1);
    } while (panel != end);
    return sums;
}

#endif

/* All `channels` for the two pixels of a panel, to `x` and `y`, which are one for a pixel without a
 * partner; answers where the words after theirs begin. */
TINYC_KERNEL const uint32_t *tinyc_scalar_two_pixels(const struct tinyc_scalar_range *range,
                                                     const uint32_t *panel, const uint32_t *end,
                                                     const uint32_t *words, int32_t channels, int8_t *x,
                                                     int8_t *y) {
    const uint32_t length = (uint32_t)(end - panel) / 4u;
#if defined(__ARM_ARCH_6M__)
    for (; channels > 0; channels--) {
        const uint64_t sums = tinyc_scalar_dot(words + TINYC_SCALAR_HEAD, panel, end);
        const uint32_t sum_y = (uint32_t)(sums >> 32);
        words = tinyc_scalar_store(range, words, length, panel, (uint32_t)sums, sum_y, x++, y++);
    }
#else
    for (; channels > 0; channels -= 2) {
        const uint32_t *const next = words + TINYC_SCALAR_HEAD + length + (words[2] >> 8);
        /* An odd last channel is its own partner. */
        const uint32_t *const second = channels > 1 ? next : words;
        const struct tinyc_scalar_sums sums =
            tinyc_scalar_dots((const int8_t *)(words + TINYC_SCALAR_HEAD),
                              (const int8_t *)(second + TINYC_SCALAR_HEAD), panel, end);
        words = tinyc_scalar_store(range, words, length, panel, sums.all0, sums.y0, x++, y++);
        if (channels > 1) {
            words = tinyc_scalar_store(range, words, length, panel, sums.all1, sums.y1, x++, y++);
        }
    }
#endif
    return words;
}

/* The panel of `count` taps of two pixels; answers its end. */
TINYC_INLINE uint32_t *tinyc_scalar_pack(uint32_t *panel, const int8_t *x, const int8_t *y, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        *panel++ = (uint32_t)(int32_t)x[i] + ((uint32_t)(int32_t)y[i] << 16);
    }
    return panel;
}

#endif
