/* Products of four rows of activations with rows of int8, for ARMv7E-M with an FPU.
 *
 * A panel holds four rows as int16: for every four inputs eight words, inputs 0 and 2 of rows 0 to 3, then
 * inputs 1 and 3, which is what SXTB16 makes of the four bytes of a row of weights. Depths are padded with
 * zeros to chunks of 16. The panel of numerators holds pairs in their order: four words for every two. */
#ifndef TINYC_TILE_M4_H
#define TINYC_TILE_M4_H

#include "tinyc_dsp.h"
#include "tinyc_tile.h"

#define TINYC_CHUNK 16

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FP)
/* The frame of a loop over chunks with eight sums, of functions (panel, a, b, chunks, sums): the sums in r0-r7,
 * the panel in lr, r8-r12 free; a, b and the chunks that are left on top of the stack. */
#define TINYC_DOT_BEGIN                                                                                                \
    "push {r4-r11, lr}\n\t"                                                                                            \
    "ldr r12, [sp, #36]\n\t"                                                                                           \
    "push {r1-r3, r12}\n\t"                                                                                            \
    "mov lr, r0\n\t"                                                                                                   \
    "movs r0, #0\n\t"                                                                                                  \
    "movs r1, #0\n\t"                                                                                                  \
    "movs r2, #0\n\t"                                                                                                  \
    "movs r3, #0\n\t"                                                                                                  \
    "movs r4, #0\n\t"                                                                                                  \
    "movs r5, #0\n\t"                                                                                                  \
    "movs r6, #0\n\t"                                                                                                  \
    "movs r7, #0\n\t"                                                                                                  \
    "1:\n\t"
#define TINYC_DOT_END                                                                                                  \
    "ldr r12, [sp, #8]\n\t"                                                                                            \
    "subs r12, r12, #1\n\t"                                                                                            \
    "str r12, [sp, #8]\n\t"                                                                                            \
    "bne 1b\n\t"                                                                                                       \
    "ldr r12, [sp, #12]\n\t"                                                                                           \
    "stm r12, {r0-r7}\n\t"                                                                                             \
    "add sp, sp, #16\n\t"                                                                                              \
    "pop {r4-r11, pc}"

/* sums[0..3]: a with rows 0 to 3 of the panel, sums[4..7]: b. The weights of a chunk wait in FPU registers.
 * r0-r7: sums, r8-r11: a word of each row, r12: weights, lr: the panel. */
TINYC_ASSEMBLY void tinyc_dot_bytes(const void *panel TINYC_UNUSED, const int8_t *a TINYC_UNUSED,
                                    const int8_t *b TINYC_UNUSED, int32_t chunks TINYC_UNUSED,
                                    int32_t *sums TINYC_UNUSED) {
    __asm__ volatile(
        TINYC_DOT_BEGIN
        "ldrd r8, r9, [sp]\n\t"
        "vldm r8!, {s0-s3}\n\t"
        "vldm r9!, {s4-s7}\n\t"
        "strd r8, r9, [sp]\n\t"
#define TINYC_DOT(low, high, rotation)                                                                                 \
    "vmov r12, " low "\n\t"                                                                                            \
    "sxtb16 r12, r12" rotation "\n\t"                                                                                  \
    "ldm lr!, {r8-r11}\n\t"                                                                                            \
    "smlad r0, r12, r8, r0\n\t"                                                                                        \
    "smlad r1, r12, r9, r1\n\t"                                                                                        \
    "smlad r2, r12, r10, r2\n\t"                                                                                       \
    "smlad r3, r12, r11, r3\n\t"                                                                                       \
    "vmov r12, " high "\n\t"                                                                                           \
    "sxtb16 r12, r12" rotation "\n\t"                                                                                  \
    "smlad r4, r12, r8, r4\n\t"                                                                                        \
    "smlad r5, r12, r9, r5\n\t"                                                                                        \
    "smlad r6, r12, r10, r6\n\t"                                                                                       \
    "smlad r7, r12, r11, r7\n\t"
        TINYC_DOT("s0", "s4", "") TINYC_DOT("s0", "s4", ", ror #8")
        TINYC_DOT("s1", "s5", "") TINYC_DOT("s1", "s5", ", ror #8")
        TINYC_DOT("s2", "s6", "") TINYC_DOT("s2", "s6", ", ror #8")
        TINYC_DOT("s3", "s7", "") TINYC_DOT("s3", "s7", ", ror #8")
#undef TINYC_DOT
        TINYC_DOT_END);
}
#else
TINYC_KERNEL void tinyc_dot_bytes(const void *panel, const int8_t *a, const int8_t *b, int32_t chunks, int32_t *sums) {
    const int16_t *x = panel;
    for (int32_t row = 0; row < 4; row++) {
        uint32_t low = 0, high = 0;
        for (int32_t i = 0; i < chunks * TINYC_CHUNK; i++) {
            const int32_t value = x[i / 4 * 16 + i % 2 * 8 + row * 2 + i / 2 % 2];
            low += (uint32_t)(a[i] * value);
            high += (uint32_t)(b[i] * value);
        }
        sums[row] = (int32_t)low;
        sums[row + 4] = (int32_t)high;
    }
}
#endif

/* Four inputs of each of four rows of int8, `step` bytes apart, as eight words of a panel. */
TINYC_INLINE void tinyc_pack_bytes(const int8_t *const rows[4], int32_t at, uint32_t *panel) {
    for (int32_t row = 0; row < 4; row++) {
        const uint32_t word = tinyc_load_word(rows[row] + at);
        panel[row] = tinyc_sxtb16(word);
        panel[row + 4] = tinyc_sxtb16_odd(word);
    }
}

TINYC_INLINE void tinyc_pack_halfwords(const int16_t *const rows[4], int32_t at, uint32_t *panel) {
    for (int32_t row = 0; row < 4; row++) {
        const uint32_t first = tinyc_load_word(rows[row] + at), second = tinyc_load_word(rows[row] + at + 2);
        panel[row] = tinyc_pack_bottoms(first, second);
        panel[row + 4] = tinyc_pack_tops(first, second);
    }
}

/* Rows of `depth` int8 or int16, padded with zeros to whole chunks. Returns the end of the panel.
 * Rows behind `count` repeat the first. */
TINYC_KERNEL uint32_t *tinyc_pack_rows(const void *input, int32_t wide, int32_t depth, int32_t step, int32_t count,
                                       uint32_t *panel) {
    const int32_t padded = (depth + TINYC_CHUNK - 1) / TINYC_CHUNK * TINYC_CHUNK;
    int32_t at = 0;
    if (wide) {
        const int16_t *first = input;
        const int16_t *const rows[4] = {first, first + (count > 1 ? step : 0), first + (count > 2 ? 2 * step : 0),
                                        first + (count > 3 ? 3 * step : 0)};
        for (; at + 4 <= depth; at += 4, panel += 8) {
            tinyc_pack_halfwords(rows, at, panel);
        }
    } else {
        const int8_t *first = input;
        const int8_t *const rows[4] = {first, first + (count > 1 ? step : 0), first + (count > 2 ? 2 * step : 0),
                                       first + (count > 3 ? 3 * step : 0)};
        for (; at + 4 <= depth; at += 4, panel += 8) {
            tinyc_pack_bytes(rows, at, panel);
        }
    }
    for (; at < padded; at += 4, panel += 8) {
        for (int32_t row = 0; row < 4; row++) {
            int32_t x[4];
            for (int32_t i = 0; i < 4; i++) {
                const int32_t from = (row < count ? row : 0) * step + at + i;
                x[i] = at + i < depth ? tinyc_element(input, wide, from) : 0;
            }
            panel[row] = ((uint32_t)x[0] & 0xffffu) | (uint32_t)x[2] << 16;
            panel[row + 4] = ((uint32_t)x[1] & 0xffffu) | (uint32_t)x[3] << 16;
        }
    }
    return panel;
}

/* One row of a panel with two rows of weights: sums[0] and sums[4]. */
TINYC_INLINE void tinyc_dot_row(const uint32_t *panel, const int8_t *a, const int8_t *b, int32_t chunks,
                                int32_t *sums) {
    uint32_t low = 0, high = 0;
    const tinyc_word *first = (const tinyc_word *)(const void *)a, *second = (const tinyc_word *)(const void *)b;
    for (const uint32_t *end = panel + 8 * TINYC_CHUNK / 4 * chunks; panel < end; panel += 8) {
        uint32_t even, odd;
        tinyc_split_bytes(tinyc_next_word(&first), &even, &odd);
        low = tinyc_smlad(even, panel[0], low);
        low = tinyc_smlad(odd, panel[4], low);
        tinyc_split_bytes(tinyc_next_word(&second), &even, &odd);
        high = tinyc_smlad(even, panel[0], high);
        high = tinyc_smlad(odd, panel[4], high);
    }
    sums[0] = (int32_t)low;
    sums[4] = (int32_t)high;
}

/* Up to four rows. */
TINYC_INLINE void tinyc_dot_rows(const uint32_t *panel, const int8_t *a, const int8_t *b, int32_t chunks,
                                 int32_t count, int32_t *sums) {
    if (count == 1) {
        tinyc_dot_row(panel, a, b, chunks, sums);
    } else {
        tinyc_dot_bytes(panel, a, b, chunks, sums);
    }
}

/* int8 or int16 of an output. */
TINYC_INLINE int32_t tinyc_narrow(int32_t value, int32_t wide) {
    return wide ? tinyc_clamp(value, -32768, 32767) : tinyc_clamp(value, -128, 127);
}

#endif
