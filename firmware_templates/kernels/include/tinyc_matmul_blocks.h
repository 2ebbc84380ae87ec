/* BATCH_MATMUL for ARMv7E-M: blocks of four rows by two columns.
 *
 * Both operands become int16 less their zero point, in words of two elements along the depth, which is
 * padded with zeros to a multiple of 8. A panel holds four rows: for every word of a row those of the other
 * three beside it. All columns of a matrix lie behind it in pairs, the words of the two side by side.
 * Scratch: the panel and the columns of one matrix. */
#ifndef TINYC_MATMUL_BLOCKS_H
#define TINYC_MATMUL_BLOCKS_H

#include "batch_matmul.h"
#include "tinyc_bytes.h"
#include "tinyc_dsp.h"

/* One operand: vectors of `depth` elements `step` bytes apart, one vector every `stride` bytes; either is 1. */
struct tinyc_matmul_side {
    int32_t stride, step, depth;
    uint32_t offset; /* what is added to each element, in both halves */
};

#if defined(__ARM_FEATURE_DSP)
/* sums[0..3]: the rows of the panel up to `end` times the first column of the pair, sums[4..7]: the second.
 * r0-r7: sums, r8-r9: rows, r10-r11: columns, lr: the panel, r12: the pair. */
TINYC_ASSEMBLY void tinyc_matmul_block(const uint32_t *panel TINYC_UNUSED, const uint32_t *pair TINYC_UNUSED,
                                       const uint32_t *end TINYC_UNUSED, int32_t *sums TINYC_UNUSED) {
    __asm__ volatile(
        "push {r2-r11, lr}\n\t"
        "mov lr, r0\n\t"
        "mov r12, r1\n\t"
        "movs r0, #0\n\t"
        "movs r1, #0\n\t"
        "movs r2, #0\n\t"
        "movs r3, #0\n\t"
        "movs r4, #0\n\t"
        "movs r5, #0\n\t"
        "movs r6, #0\n\t"
        "movs r7, #0\n\t"
        "1:\n\t"
#define TINYC_MATMUL_STEP                                                                                              \
    "ldrd r8, r9, [lr], #8\n\t"                                                                                        \
    "ldrd r10, r11, [r12], #8\n\t"                                                                                     \
    "smlad r0, r8, r10, r0\n\t"                                                                                        \
    "smlad r1, r9, r10, r1\n\t"                                                                                        \
    "smlad r4, r8, r11, r4\n\t"                                                                                        \
    "smlad r5, r9, r11, r5\n\t"                                                                                        \
    "ldrd r8, r9, [lr], #8\n\t"                                                                                        \
    "smlad r2, r8, r10, r2\n\t"                                                                                        \
    "smlad r3, r9, r10, r3\n\t"                                                                                        \
    "smlad r6, r8, r11, r6\n\t"                                                                                        \
    "smlad r7, r9, r11, r7\n\t"
        TINYC_MATMUL_STEP TINYC_MATMUL_STEP TINYC_MATMUL_STEP TINYC_MATMUL_STEP
#undef TINYC_MATMUL_STEP
        "ldr r8, [sp]\n\t"
        "cmp lr, r8\n\t"
        "bne 1b\n\t"
        "ldr r8, [sp, #4]\n\t"
        "stm r8, {r0-r7}\n\t"
        "add sp, sp, #8\n\t"
        "pop {r4-r11, pc}");
}
#else
TINYC_KERNEL void tinyc_matmul_block(const uint32_t *panel, const uint32_t *pair, const uint32_t *end,
                                     int32_t *sums) {
    for (int32_t i = 0; i < 8; i++) {
        const uint32_t *column = pair + i / 4;
        uint32_t sum = 0;
        for (const uint32_t *row = panel + i % 4; row < end; row += 4, column += 2) {
            sum = tinyc_smlad(*row, *column, sum);
        }
        sums[i] = (int32_t)sum;
    }
}
#endif

/* Up to four vectors. Those behind the second go to `next`; `pitch` words lead on along the depth. Of each
 * four elements 0 and 2 share the first word, 1 and 3 the second. */
TINYC_KERNEL void tinyc_matmul_pack(const struct tinyc_matmul_side *side, const int8_t *from, int32_t count,
                                    int32_t pitch, uint32_t *to, uint32_t *next) {
    const int32_t stride = side->stride, step = side->step, depth = side->depth;
    const uint32_t offset = side->offset;
    const int32_t whole = step == 1 || count == 4 ? depth & ~3 : 0;
    if (step == 1) {
        for (int32_t vector = 0; vector < count; vector += 2) {
            const int8_t *a = from + vector * stride, *b = vector + 1 < count ? a + stride : a;
            uint32_t *words = vector == 0 ? to : next;
            for (const int8_t *const end = a + whole; a < end; a += 4, b += 4, words += 2 * pitch) {
                const uint32_t left = tinyc_load_word(a), right = tinyc_load_word(b);
                words[0] = tinyc_sxtab16(offset, left);
                words[1] = tinyc_sxtab16(offset, right);
                words[pitch] = tinyc_sxtab16_odd(offset, left);
                words[pitch + 1] = tinyc_sxtab16_odd(offset, right);
            }
        }
    } else {
        uint32_t *low = to, *high = next;
        const int8_t *at = from;
        for (int32_t d = 0; d < whole; d += 4, at += 4 * step, low += 2 * pitch, high += 2 * pitch) {
            for (int32_t half = 0; half < 2; half++) {
                const int8_t *const line = half ? at + step : at;
                const int32_t place = half ? pitch : 0;
                const uint32_t first = tinyc_load_word(line), second = tinyc_load_word(line + 2 * step);
                const uint32_t even_a = tinyc_sxtab16(offset, first), even_b = tinyc_sxtab16(offset, second);
                const uint32_t odd_a = tinyc_sxtab16_odd(offset, first), odd_b = tinyc_sxtab16_odd(offset, second);
                low[place] = tinyc_pack_bottoms(even_a, even_b);
                low[place + 1] = tinyc_pack_bottoms(odd_a, odd_b);
                high[place] = tinyc_pack_tops(even_a, even_b);
                high[place + 1] = tinyc_pack_tops(odd_a, odd_b);
            }
        }
    }
    for (int32_t d = whole; d < ((depth + 7) & ~7); d += 4) {
        for (int32_t vector = 0; vector < count; vector++) {
            uint32_t *const words = (vector < 2 ? to : next) + d / 2 * pitch + (vector & 1);
            uint32_t x[4] = {0, 0, 0, 0};
            for (int32_t i = 0; i < 4 && d + i < depth; i++) {
                x[i] = ((uint32_t)from[vector * stride + (d + i) * step] + offset) & 0xffffu;
            }
            words[0] = x[0] | x[2] << 16;
            words[pitch] = x[1] | x[3] << 16;
        }
    }
}

TINYC_INLINE void tinyc_matmul_outputs(const struct tinyc_batch_matmul *layer, const int32_t *sums, int32_t count,
                                       int8_t *output) {
    const int32_t offset = 2 * layer->output_offset + 1, step = layer->output_row;
    const int32_t multiplier = layer->multiplier, right = layer->shift;
    if (count == 4) {
        output[0] = tinyc_output_s8((uint32_t)sums[0], multiplier, right, offset);
        output[step] = tinyc_output_s8((uint32_t)sums[1], multiplier, right, offset);
        output[2 * step] = tinyc_output_s8((uint32_t)sums[2], multiplier, right, offset);
        output[3 * step] = tinyc_output_s8((uint32_t)sums[3], multiplier, right, offset);
        return;
    }
    for (int32_t row = 0; row < count; row++, output += step) {
        *output = tinyc_output_s8((uint32_t)sums[row], multiplier, right, offset);
    }
}

/* One matrix by one that is packed in `pairs`. */
TINYC_KERNEL void tinyc_matmul_rows(const struct tinyc_batch_matmul *layer, const struct tinyc_matmul_side *side,
                                    const int8_t *first, uint32_t *panel, int8_t *output) {
    const int32_t padded = (layer->depth + 7) & ~7;
    const uint32_t *const end = panel + 2 * padded;
    for (int32_t row = 0; row < layer->rows; row += 4) {
        const int32_t left = layer->rows - row, count = left < 4 ? left : 4;
        const uint32_t *pair = end;
        int8_t *target = output + row * layer->output_row;
        tinyc_matmul_pack(side, first + row * layer->row_stride, count, 4, panel, panel + 2);
        for (int32_t column = 0; column < layer->columns; column += 2, pair += padded) {
            int32_t sums[8];
            tinyc_matmul_block(panel, pair, end, sums);
            tinyc_matmul_outputs(layer, sums, count, target);
            if (column + 1 < layer->columns) {
                tinyc_matmul_outputs(layer, sums + 4, count, target + layer->output_column);
            }
            target += 2 * layer->output_column;
        }
    }
}

TINYC_KERNEL void tinyc_matmul_columns(const struct tinyc_matmul_side *side, const int8_t *second, int32_t columns,
                                       uint32_t *pairs) {
    const int32_t padded = (side->depth + 7) & ~7;
    for (int32_t column = 0; column < columns; column += 4, pairs += 2 * padded) {
        const int32_t left = columns - column;
        tinyc_matmul_pack(side, second + column * side->stride, left < 4 ? left : 4, 2, pairs, pairs + padded);
    }
}

TINYC_KERNEL void tinyc_matmul_blocks(const struct tinyc_batch_matmul *layer, const int8_t *first,
                                      const int8_t *second, int8_t *output, void *scratch) {
    const int32_t *const extents = layer->extents, *const steps = layer->first_strides;
    const int32_t *const others = layer->second_strides;
    const struct tinyc_matmul_side rows = {layer->row_stride, layer->row_step, layer->depth,
                                           ((uint32_t)layer->first_offset & 0xffffu) * 0x10001u};
    const struct tinyc_matmul_side columns = {layer->column_stride, layer->column_step, layer->depth,
                                              ((uint32_t)layer->second_offset & 0xffffu) * 0x10001u};
    uint32_t *const panel = scratch, *const pairs = panel + 2 * ((layer->depth + 7) & ~7);
    const int8_t *packed = 0;
    for (int32_t i = 0; i < extents[0]; i++) {
        for (int32_t j = 0; j < extents[1]; j++) {
            for (int32_t k = 0; k < extents[2]; k++) {
                for (int32_t n = 0; n < extents[3]; n++) {
                    const int8_t *const a = first + i * steps[0] + j * steps[1] + k * steps[2] + n * steps[3];
                    const int8_t *const b = second + i * others[0] + j * others[1] + k * others[2] + n * others[3];
                    if (b != packed) {
                        tinyc_matmul_columns(&columns, b, layer->columns, pairs);
                        packed = b;
                    }
                    tinyc_matmul_rows(layer, &rows, a, panel, output);
                    output += layer->rows * layer->columns;
                }
            }
        }
    }
}

#endif
