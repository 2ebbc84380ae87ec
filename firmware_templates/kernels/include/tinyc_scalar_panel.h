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

/* The words of four weights at `weights` times the panel, which ends at `end`: the sum of the y in the
 * upper word of the answer, that of x + 65536 * y in the lower one. At least one word. */
TINYC_KERNEL uint64_t tinyc_scalar_dot(const uint32_t *weights, const uint32_t *panel, const uint32_t *end) {
    uint32_t all = 0u, y = 0u;
#if defined(__ARM_ARCH_6M__)
    /* Compilers keep less in the eight lower registers, and leave the others unused. */
    __asm__ volatile(
        ".syntax unified\n"
        "1:\n\t"
        "ldm %[weights]!, {r4}\n\t"
        "ldm %[panel]!, {r2, r3}\n\t"
        "sxtb r5, r4\n\t"
        "muls r5, r2, r5\n\t"
        "lsls r6, r4, #16\n\t"
        "asrs r6, r6, #24\n\t"
        "muls r6, r3, r6\n\t"
        "adds r5, r5, r6\n\t"
        "ldm %[panel]!, {r2, r3}\n\t"
        "lsls r6, r4, #8\n\t"
        "asrs r6, r6, #24\n\t"
        "muls r6, r2, r6\n\t"
        "adds r5, r5, r6\n\t"
        "asrs r4, r4, #24\n\t"
        "muls r4, r3, r4\n\t"
        "adds r5, r5, r4\n\t"
        "add %[all], r5\n\t"
        "add r5, %[half]\n\t"
        "asrs r5, r5, #16\n\t"
        "add %[y], r5\n\t"
        "cmp %[panel], %[end]\n\t"
        "bne 1b"
        : [weights] "+l"(weights), [panel] "+l"(panel), [all] "+h"(all), [y] "+h"(y)
        : [end] "h"(end), [half] "h"(0x8000u)
        : "r2", "r3", "r4", "r5", "r6", "cc", "memory");
#else
    const int8_t *weight = (const int8_t *)weights;
    do {
        uint32_t both = (uint32_t)(int32_t)weight[0] * panel[0];
        both += (uint32_t)(int32_t)weight[1] * panel[1];
        both += (uint32_t)(int32_t)weight[2] * panel[2];
        both += (uint32_t)(int32_t)weight[3] * panel[3];
        weight += 4;
        panel += 4;
        tinyc_scalar_add(both, &all, &y);
    } while (panel != end);
#endif
    return (uint64_t)y << 32 | all;
}

/* All `channels` for the two pixels of a panel, to `x` and `y`, which are one for a pixel without a
 * partner; answers where the words after theirs begin. */
TINYC_KERNEL const uint32_t *tinyc_scalar_two_pixels(const struct tinyc_scalar_range *range,
                                                     const uint32_t *panel, const uint32_t *end,
                                                     const uint32_t *words, int32_t channels, int8_t *x,
                                                     int8_t *y) {
    const int8_t *const last = x + channels;
    const uint32_t length = (uint32_t)(end - panel) / 4u;
    while (x != last) {
        const uint32_t *const head = words;
        const uint64_t sums = tinyc_scalar_dot(head + TINYC_SCALAR_HEAD, panel, end);
        uint32_t all = (uint32_t)sums, sum_y = (uint32_t)(sums >> 32);
        words = head + TINYC_SCALAR_HEAD + length;
        for (uint32_t extras = head[2] >> 8; extras != 0u; extras--) {
            const uint32_t extra = *words++;
            tinyc_scalar_add(tinyc_scalar_weight(extra, 0) * panel[extra >> 8], &all, &sum_y);
        }
        const uint32_t sum_x = all - (sum_y << 16) + head[0];
        sum_y += head[0];
        const int32_t multiplier = (int32_t)head[1], right = (int32_t)(head[2] & 0xffu);
        *x = tinyc_scalar_output(sum_x, multiplier, right, range);
        if (y != x) {
            *y = tinyc_scalar_output(sum_y, multiplier, right, range);
        }
        x++;
        y++;
    }
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
