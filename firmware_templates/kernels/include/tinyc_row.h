/* One row of inputs times weights, four channels at a time: what all variants of the kernel share. */
#ifndef TINYC_ROW_H
#define TINYC_ROW_H

#include <stdint.h>

#include "tinyc_dsp.h"

/* Inputs go in steps of eight. Less their zero point they are int16, each four as (0, 2), (1, 3), one to
 * three left over at the end as (0, 1), (2, nothing). The first one to four steps are held in FPU registers,
 * so many that those in the scratch, the panel, are a multiple of four. What lies behind the last input
 * meets weights of zero.
 *
 * `weights` holds, for each four channels a, b, c, d: the biases of a, of 256 * b + a, of c and of
 * 256 * d + c, or those of a and b, c and d in the halves of two words where all of the layer fit; the weights, for each word of two inputs a word of 256 * b + a and one of 256 * d + c,
 * the held steps in reverse order, then those of the panel; and the constants of the four channels where
 * they differ. Channels behind the last have weights of zero. */
struct tinyc_row {
    const int32_t *weights;
    int32_t units;
    int32_t entry;        /* 2 * (4 - held steps), plus 1 for an empty panel */
    int32_t panel;        /* bytes */
    int32_t held, rest;   /* inputs in held steps, in panel steps */
    uint32_t zero_points; /* the inputs' zero point in both halves */
    int32_t constants[4]; /* multiplier and constant of low and high channels, where all agree */
};

#if defined(__ARM_FEATURE_DSP)

/* Functions of the assembly that calls them, not of C. s16: start of the panel, s17: entry, s18: end of the
 * panel, s19: return address, s20: output, s21: channels left, s22-s25: constants, r12: weights. */

/* r2 inputs from r0 to r1, both of which move on, less the zero points in r11. A panel may overlap the inputs:
 * the order of reads and writes is what the planner was told. Leaves r11, r12 alone. */
__attribute__((used)) TINYC_ASSEMBLY void tinyc_row_widen(void) {
    __asm__ volatile(
        "subs r2, r2, #16\n\t"
        "blt 2f\n\t"
        "1:\n\t"
        "ldmia r0!, {r3, r5, r7, r9}\n\t"
        "sxtb16 r4, r3, ror #8\n\t"
        "sxtb16 r3, r3\n\t"
        "sxtb16 r6, r5, ror #8\n\t"
        "sxtb16 r5, r5\n\t"
        "sxtb16 r8, r7, ror #8\n\t"
        "sxtb16 r7, r7\n\t"
        "sxtb16 r10, r9, ror #8\n\t"
        "sxtb16 r9, r9\n\t"
        "ssub16 r3, r3, r11\n\t"
        "ssub16 r4, r4, r11\n\t"
        "ssub16 r5, r5, r11\n\t"
        "ssub16 r6, r6, r11\n\t"
        "ssub16 r7, r7, r11\n\t"
        "ssub16 r8, r8, r11\n\t"
        "ssub16 r9, r9, r11\n\t"
        "ssub16 r10, r10, r11\n\t"
        "subs r2, r2, #16\n\t"
        "stmia r1!, {r3-r10}\n\t"
        "bge 1b\n\t"
        "2:\n\t"
        "adds r2, r2, #12\n\t"
        "blt 4f\n\t"
        "3:\n\t"
        "ldr r3, [r0], #4\n\t"
        "sxtb16 r4, r3, ror #8\n\t"
        "sxtb16 r3, r3\n\t"
        "ssub16 r4, r4, r11\n\t"
        "ssub16 r3, r3, r11\n\t"
        "subs r2, r2, #4\n\t"
        "stmia r1!, {r3, r4}\n\t"
        "bge 3b\n\t"
        "4:\n\t"
        "adds r2, r2, #4\n\t"
        "beq 6f\n\t"
        "5:\n\t"
        "ldrsb r3, [r0], #1\n\t"
        "sub r3, r3, r11\n\t"
        "subs r2, r2, #1\n\t"
        "strh r3, [r1], #2\n\t"
        "bne 5b\n\t"
        "6:\n\t"
        "bx lr");
}

/* Takes the arguments of a kernel, fills s0-s15, the panel and the registers above. */
__attribute__((used)) TINYC_ASSEMBLY void tinyc_row_start(void) {
    __asm__ volatile(
        "vmov s19, lr\n\t"
        "vmov s20, r2\n\t"
        "vmov s16, r3\n\t"
        "mov r12, r0\n\t"
        "mov r0, r1\n\t"
        "mov r1, r3\n\t"
        "ldr r2, [r12, #16]\n\t"
        "ldr r11, [r12, #24]\n\t"
        "bl tinyc_row_widen\n\t"
        "vmov r1, s16\n\t"
        "vldm r1, {s0-s15}\n\t"
        "ldr r2, [r12, #20]\n\t"
        "bl tinyc_row_widen\n\t"
        "vmov r11, s16\n\t"
        "ldmia r12!, {r0-r3}\n\t"
        "add r3, r3, r11\n\t"
        "vmov s17, r2\n\t"
        "vmov s18, r3\n\t"
        "vmov s21, r1\n\t"
        "add r12, r12, #12\n\t"
        "vldm r12, {s22-s25}\n\t"
        "mov r12, r0\n\t"
        "vmov lr, s19\n\t"
        "bx lr");
}

/* clang-format off */
#define TINYC_ROW_PRODUCTS(x, weights)           \
    "smlad r1, " #weights ", " #x ", r1\n\t"     \
    "sxtb16 " #weights ", " #weights "\n\t"      \
    "smlad r0, " #weights ", " #x ", r0\n\t"
#define TINYC_ROW_PRODUCTS_2(x, weights)         \
    "smlad r3, " #weights ", " #x ", r3\n\t"     \
    "sxtb16 " #weights ", " #weights "\n\t"      \
    "smlad r2, " #weights ", " #x ", r2\n\t"
/* Four channels by the eight inputs in r4-r7. */
#define TINYC_ROW_STEP                           \
    "ldmia r12!, {r8-r11}\n\t"                   \
    TINYC_ROW_PRODUCTS(r4, r8)                   \
    TINYC_ROW_PRODUCTS_2(r4, r9)                 \
    TINYC_ROW_PRODUCTS(r5, r10)                  \
    TINYC_ROW_PRODUCTS_2(r5, r11)                \
    "ldmia r12!, {r8-r11}\n\t"                   \
    TINYC_ROW_PRODUCTS(r6, r8)                   \
    TINYC_ROW_PRODUCTS_2(r6, r9)                 \
    TINYC_ROW_PRODUCTS(r7, r10)                  \
    TINYC_ROW_PRODUCTS_2(r7, r11)
#define TINYC_ROW_HELD_STEP(s0, s1, s2, s3)      \
    "vmov r4, r5, " #s0 ", " #s1 "\n\t"          \
    "vmov r6, r7, " #s2 ", " #s3 "\n\t"          \
    TINYC_ROW_STEP
#define TINYC_ROW_PANEL_STEP                     \
    "ldmia lr!, {r4-r7}\n\t"                     \
    TINYC_ROW_STEP
/* clang-format on */

/* The sums of the next four channels, which begin with their biases in r0-r3: r0, 256 times that of r1, r2,
 * 256 times that of r3. r12 moves on to the constants behind the weights. The carry tells from the entry on
 * whether the panel is empty. */
__attribute__((used)) TINYC_ASSEMBLY void tinyc_row_sums(void) {
    __asm__ volatile(
        "vmov s19, lr\n\t"
        "vmov lr, r4, s16, s17\n\t"
        "lsrs r4, r4, #1\n\t"
        "tbb [pc, r4]\n\t"
        "1:\n\t"
        ".byte (2f - 1b) / 2\n\t"
        ".byte (3f - 1b) / 2\n\t"
        ".byte (4f - 1b) / 2\n\t"
        ".byte (5f - 1b) / 2\n\t"
        "2:\n\t" TINYC_ROW_HELD_STEP(s12, s13, s14, s15)
        "3:\n\t" TINYC_ROW_HELD_STEP(s8, s9, s10, s11)
        "4:\n\t" TINYC_ROW_HELD_STEP(s4, s5, s6, s7)
        "5:\n\t" TINYC_ROW_HELD_STEP(s0, s1, s2, s3)
        "bcs 7f\n\t"
        "6:\n\t" TINYC_ROW_PANEL_STEP TINYC_ROW_PANEL_STEP TINYC_ROW_PANEL_STEP TINYC_ROW_PANEL_STEP
        "vmov r4, s18\n\t"
        "cmp lr, r4\n\t"
        "bne 6b\n\t"
        "7:\n\t"
        "vmov lr, s19\n\t"
        "sub r1, r1, r0\n\t"
        "sub r3, r3, r2\n\t"
        "bx lr");
}

#else

/* How four sums become outputs: by one multiply and the shift of a low channel, or by the double rounding
 * (`shift` below 0) and a right shift, which is the last constant of each channel where they differ.
 * `is_narrow`: biases are halves of words. */
struct tinyc_row_rounding {
    int32_t is_shared, shift, right, is_narrow;
};

TINYC_INLINE void tinyc_row_widen_four(tinyc_word *to, uint32_t four, uint32_t zero_points) {
    to[0] = tinyc_ssub16(tinyc_sxtb16(four), zero_points);
    to[1] = tinyc_ssub16(tinyc_sxtb16_odd(four), zero_points);
}

TINYC_INLINE tinyc_word *tinyc_row_widen(tinyc_word *to, const int8_t *from, int32_t count,
                                         uint32_t zero_points) {
    for (; count >= 16; count -= 16, from += 16, to += 8) {
        const uint32_t a = tinyc_load_word(from), b = tinyc_load_word(from + 4);
        const uint32_t c = tinyc_load_word(from + 8), d = tinyc_load_word(from + 12);
        tinyc_row_widen_four(to, a, zero_points);
        tinyc_row_widen_four(to + 2, b, zero_points);
        tinyc_row_widen_four(to + 4, c, zero_points);
        tinyc_row_widen_four(to + 6, d, zero_points);
    }
    for (; count >= 4; count -= 4, from += 4, to += 2) {
        tinyc_row_widen_four(to, tinyc_load_word(from), zero_points);
    }
    for (int32_t i = 0; i < count; i++) {
        const int16_t value = (int16_t)(from[i] - tinyc_bottom(zero_points));
        memcpy((uint8_t *)to + 2 * i, &value, sizeof value);
    }
    return to;
}

/* Four channels by the eight inputs at `x`. */
TINYC_INLINE const int32_t *tinyc_row_step(uint32_t *sums, const int32_t *weights, const tinyc_word *x) {
    for (int32_t i = 0; i < 4; i++, weights += 2) {
        for (int32_t pair = 0; pair < 2; pair++) {
            const uint32_t both = (uint32_t)weights[pair];
            sums[2 * pair] = tinyc_smlad(tinyc_sxtb16(both), x[i], sums[2 * pair]);
            sums[2 * pair + 1] = tinyc_smlad(both, x[i], sums[2 * pair + 1]);
        }
    }
    return weights;
}

TINYC_INLINE int32_t tinyc_row_output(uint32_t sum, const int32_t *constants, int32_t is_high,
                                      struct tinyc_row_rounding rounding) {
    int32_t y;
    if (rounding.shift >= 0) {
        y = constants[1] + (int32_t)(((int64_t)(int32_t)sum * constants[0]) >> 32);
        y >>= rounding.shift + 8 * is_high;
    } else {
        const int32_t twice = is_high ? (int32_t)sum >> 7 : (int32_t)(sum << 1);
        y = tinyc_smmulr(twice, constants[0]) + constants[1] + (twice >> 31);
        y >>= rounding.is_shared ? rounding.right : constants[2];
    }
    return tinyc_clamp(y, -128, 127);
}

/* What the assembly computes. */
TINYC_INLINE void tinyc_row_in_c(const struct tinyc_row *layer, const int8_t *input, int8_t *output,
                                 void *scratch, struct tinyc_row_rounding rounding) {
    tinyc_word *const panel = scratch;
    tinyc_word held[16];
    const int32_t stride = rounding.is_shared ? 2 : rounding.shift >= 0 ? 2 : 3;
    const int32_t *record = layer->weights;
    tinyc_row_widen(panel, input, layer->held, layer->zero_points);
    memcpy(held, panel, sizeof held);
    tinyc_row_widen(panel, input + layer->held, layer->rest, layer->zero_points);
    for (int32_t unit = 0; unit < layer->units; unit += 4) {
        uint32_t sums[4];
        const int32_t *weights = record + (rounding.is_narrow ? 2 : 4);
        if (rounding.is_narrow) {
            for (int32_t i = 0; i < 4; i += 2) {
                sums[i] = (uint32_t)tinyc_bottom((uint32_t)record[i / 2]);
                sums[i + 1] = sums[i] + 256u * (uint32_t)tinyc_top((uint32_t)record[i / 2]);
            }
        } else {
            memcpy(sums, record, sizeof sums);
        }
        for (int32_t step = 3 - layer->entry / 2; step >= 0; step--) {
            weights = tinyc_row_step(sums, weights, held + 4 * step);
        }
        for (int32_t word = 0; word < layer->panel / 4; word += 4) {
            weights = tinyc_row_step(sums, weights, panel + word);
        }
        sums[1] -= sums[0];
        sums[3] -= sums[2];
        for (int32_t i = 0; i < 4; i++) {
            const int32_t *constants =
                rounding.is_shared ? layer->constants + i % 2 * 2 : weights + i * stride;
            const int32_t y = tinyc_row_output(sums[i], constants, i % 2, rounding);
            if (unit + i < layer->units) {
                output[unit + i] = (int8_t)y;
            }
        }
        record = rounding.is_shared ? weights : weights + 4 * stride;
    }
}

#endif

#endif
