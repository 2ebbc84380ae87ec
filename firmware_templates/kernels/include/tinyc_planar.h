#ifndef TINYC_PLANAR_H
#define TINYC_PLANAR_H

#include "tinyc_dsp.h"

/* A depthwise layer that is computed channel by channel on planes of int16.
 *
 * A plane holds one channel of some input rows with their padding, two neighbouring columns in a
 * word. Four channels at a time go from the input, where channels lie next to each other, to planes.
 * Rows and columns may stand for the columns and rows of the image: a step from one to the next
 * is a number of bytes. */
struct tinyc_planar {
    int32_t batches, channels;
    int32_t rows;                        /* of the input */
    int32_t columns;                     /* of the input, as far as outputs depend on them */
    int32_t row_step, column_step, size; /* bytes of the input from row to row, column to column, batch */
    int32_t top, left;                   /* rows and columns of padding before the input */
    int32_t outputs;                     /* rows of the output */
    int32_t tile;                        /* rows of the output that are computed together */
    int32_t stride, reach;               /* rows from one output row to the next, and below one */
    int32_t output_step, output_size;    /* bytes of the output from row to row, batch */
    int32_t pitch, plane;                /* words of a row of a plane, of a plane */
    uint32_t padding;                    /* the input's zero point, twice */
    const int32_t *weights;              /* a record per channel */
};

#if !defined(__ARM_FEATURE_DSP)

/* The last of a sum, its multiplier and constant: requantization.py, OneStep. */
TINYC_INLINE int8_t tinyc_one_step_s8(uint32_t sum, int32_t multiplier, int32_t constant, int32_t shift) {
    const int32_t high = (int32_t)(((int64_t)(int32_t)sum * multiplier) >> 32);
    return (int8_t)tinyc_clamp((int32_t)((uint32_t)high + (uint32_t)constant) >> shift, -128, 127);
}

/* TwoSteps of a sum and a multiplier that are both negated: a product is the same, and twice the sum
 * leaves in the carry whether the true one is above 0. At 0 the constant makes both cases equal. */
TINYC_INLINE int8_t tinyc_two_steps_s8(uint32_t sum, int32_t multiplier, int32_t constant, int32_t shift) {
    const int32_t high = tinyc_smmulr((int32_t)(sum << 1), multiplier);
    return (int8_t)tinyc_clamp((high + constant - ((int32_t)sum < 0 ? 0 : 1)) >> shift, -128, 127);
}

#elif defined(__clang__)
#define TINYC_ASSEMBLY static __attribute__((naked, noinline))
#elif defined(__GNUC__)
/* Without `noipa` a caller may count on registers that the text does not seem to change. */
#define TINYC_ASSEMBLY static __attribute__((naked, noinline, noclone, noipa))
#endif
#define TINYC_UNUSED __attribute__((unused))

/* All words of four planes. */
TINYC_KERNEL void tinyc_planar_clear(const struct tinyc_planar *layer, tinyc_word *planes) {
    const uint32_t padding = layer->padding;
    const int32_t count = layer->plane * (layer->channels < 4 ? layer->channels : 4);
    for (const tinyc_word *end = planes + count; planes != end; planes++) {
        *planes = padding;
    }
}

/* Two columns of four channels. */
TINYC_INLINE void tinyc_planar_pair(uint32_t first, uint32_t second, tinyc_word **planes) {
    const uint32_t low = tinyc_pack_bottoms(first, second), high = tinyc_pack_tops(first, second);
    *planes[0]++ = tinyc_sxtb16(low);
    *planes[1]++ = tinyc_sxtb16_odd(low);
    *planes[2]++ = tinyc_sxtb16(high);
    *planes[3]++ = tinyc_sxtb16_odd(high);
}

/* Two columns of one channel. */
TINYC_INLINE uint32_t tinyc_planar_columns(int32_t first, int32_t second) {
    return tinyc_pack_bottoms((uint32_t)first, (uint32_t)second);
}

/* Rows [first, last) of `count` planes, 1 to 4, from the input, whose row 0 is row `top` of the
 * planes. Words without any input keep what is in them. */
TINYC_KERNEL void tinyc_planar_fill(const struct tinyc_planar *layer, const int8_t *input, int32_t first,
                                    int32_t last, int32_t top, int32_t count, tinyc_word *planes) {
    const int32_t step = layer->column_step, plane = layer->plane, odd = layer->left & 1;
    const uint32_t padding = layer->padding;
    const int32_t pairs = (layer->columns - odd) >> 1, rest = (layer->columns - odd) & 1;
    planes += (first + top) * layer->pitch + (layer->left >> 1);
    input += first * layer->row_step;
    for (int32_t row = first; row < last; row++, input += layer->row_step, planes += layer->pitch) {
        if (count == 4) {
            const int8_t *x = input;
            tinyc_word *to[4] = {planes, planes + plane, planes + 2 * plane, planes + 3 * plane};
            const uint32_t outside = (padding & 0xffu) * 0x01010101u;
            if (odd) {
                tinyc_planar_pair(outside, tinyc_load_word(x), to);
                x += step;
            }
            for (const tinyc_word *end = to[0] + pairs; to[0] != end; x += 2 * step) {
                tinyc_planar_pair(tinyc_load_word(x), tinyc_load_word(x + step), to);
            }
            if (rest) {
                tinyc_planar_pair(tinyc_load_word(x), outside, to);
            }
        } else {
            const int32_t outside = tinyc_bottom(padding);
            for (int32_t channel = 0; channel < count; channel++) {
                const int8_t *x = input + channel;
                tinyc_word *to = planes + channel * plane;
                if (odd) {
                    *to++ = tinyc_planar_columns(outside, *x);
                    x += step;
                }
                for (const tinyc_word *end = to + pairs; to != end; x += 2 * step) {
                    *to++ = tinyc_planar_columns(x[0], x[step]);
                }
                if (rest) {
                    *to = tinyc_planar_columns(*x, outside);
                }
            }
        }
    }
}

#endif
