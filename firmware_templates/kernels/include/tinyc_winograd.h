/* Winograd's F(2x2, 3x3) in integers: what all its variants share.
 *
 * A tile of 4 x 4 inputs gives 2 x 2 outputs. Inputs are transformed with additions only, the weights are
 * stored transformed and four times as large, so that all is exact: the products of 16 positions take the
 * place of 36. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016). */
#ifndef TINYC_WINOGRAD_H
#define TINYC_WINOGRAD_H

#include <stdint.h>
#include <string.h>

#include "tinyc_dsp.h"

struct tinyc_conv_2d_winograd {
    int32_t batches;
    int32_t input_height, input_width;
    int32_t output_height, output_width;
    int32_t pad_top, pad_left;
    int32_t padding; /* the input's zero point */
    const int32_t *weights;
};

/* Four tiles. `tiles` holds their transformed inputs: for each of 16 positions, column by column, and each
 * two channels, a word of each tile. `weights` holds, for each pair of output channels, the transformed
 * weights in the same order, a word of each channel, and then for each of both its bias times 4 and the
 * constants of its requantization. `sums` has room for 128 words. */
struct tinyc_winograd_block {
    const tinyc_word *tiles;
    const int32_t *weights;
    uint32_t *sums;
    const int32_t *end; /* of the weights */
    int8_t *outputs[4]; /* the top left output of each tile */
};

typedef void tinyc_winograd_kernel(struct tinyc_winograd_block *block);

/* The horizontal transform of one row of a tile; positions lie `step` words apart column by column. */
TINYC_INLINE void tinyc_winograd_row(uint32_t x0, uint32_t x1, uint32_t x2, uint32_t x3, tinyc_word *to,
                                     int32_t step) {
    to[0] = tinyc_ssub16(x0, x2);
    to[4 * step] = tinyc_sadd16(x1, x2);
    to[8 * step] = tinyc_ssub16(x2, x1);
    to[12 * step] = tinyc_ssub16(x1, x3);
}

TINYC_INLINE uint32_t tinyc_winograd_load(const int8_t *from, int32_t odd) {
    const uint32_t bytes = tinyc_load_word(from);
    return odd ? tinyc_sxtb16_odd(bytes) : tinyc_sxtb16(bytes);
}

/* Two channels of a tile, bytes 0 and 2 or 1 and 3 of each word. No loops: all values stay in registers. */
TINYC_INLINE void tinyc_winograd_pair(const int8_t *from, int32_t pitch, int32_t channels, tinyc_word *to,
                                      int32_t step, int32_t odd) {
    const uint32_t a0 = tinyc_winograd_load(from, odd);
    const uint32_t a1 = tinyc_winograd_load(from + channels, odd);
    const uint32_t a2 = tinyc_winograd_load(from + 2 * channels, odd);
    const uint32_t a3 = tinyc_winograd_load(from + 3 * channels, odd);
    from += 2 * pitch;
    const uint32_t c0 = tinyc_winograd_load(from, odd);
    const uint32_t c1 = tinyc_winograd_load(from + channels, odd);
    const uint32_t c2 = tinyc_winograd_load(from + 2 * channels, odd);
    const uint32_t c3 = tinyc_winograd_load(from + 3 * channels, odd);
    tinyc_winograd_row(tinyc_ssub16(a0, c0), tinyc_ssub16(a1, c1), tinyc_ssub16(a2, c2),
                       tinyc_ssub16(a3, c3), to, step);
    from -= pitch;
    const uint32_t b0 = tinyc_winograd_load(from, odd);
    const uint32_t b1 = tinyc_winograd_load(from + channels, odd);
    const uint32_t b2 = tinyc_winograd_load(from + 2 * channels, odd);
    const uint32_t b3 = tinyc_winograd_load(from + 3 * channels, odd);
    tinyc_winograd_row(tinyc_sadd16(b0, c0), tinyc_sadd16(b1, c1), tinyc_sadd16(b2, c2),
                       tinyc_sadd16(b3, c3), to + step, step);
    tinyc_winograd_row(tinyc_ssub16(c0, b0), tinyc_ssub16(c1, b1), tinyc_ssub16(c2, b2),
                       tinyc_ssub16(c3, b3), to + 2 * step, step);
    from += 2 * pitch;
    const uint32_t d0 = tinyc_winograd_load(from, odd);
    const uint32_t d1 = tinyc_winograd_load(from + channels, odd);
    const uint32_t d2 = tinyc_winograd_load(from + 2 * channels, odd);
    const uint32_t d3 = tinyc_winograd_load(from + 3 * channels, odd);
    tinyc_winograd_row(tinyc_ssub16(b0, d0), tinyc_ssub16(b1, d1), tinyc_ssub16(b2, d2),
                       tinyc_ssub16(b3, d3), to + 3 * step, step);
}

/* One tile whose rows lie `pitch` bytes apart, pixel after pixel of `channels` inputs each. */
TINYC_INLINE void tinyc_winograd_transform(const int8_t *from, int32_t pitch, int32_t channels,
                                           tinyc_word *to) {
    for (int32_t channel = 0; channel < channels; channel += 4, from += 4, to += 8) {
        tinyc_winograd_pair(from, pitch, channels, to, 2 * channels, 0);
        tinyc_winograd_pair(from, pitch, channels, to + 4, 2 * channels, 1);
    }
}

/* Copies a tile that reaches beyond the image, row after row, with its padding. */
TINYC_INLINE void tinyc_winograd_border(const struct tinyc_conv_2d_winograd *layer, const int8_t *image,
                                        int32_t top, int32_t left, int32_t channels, int8_t *to) {
    const int32_t first = left < 0 ? -left : 0;
    const int32_t end = left + 4 > layer->input_width ? layer->input_width - left : 4;
    memset(to, layer->padding, (uint32_t)(16 * channels));
    for (int32_t y = 0; y < 4; y++, to += 4 * channels) {
        if (top + y >= 0 && top + y < layer->input_height && end > first) {
            memcpy(to + first * channels, image + ((top + y) * layer->input_width + left + first) * channels,
                   (uint32_t)((end - first) * channels));
        }
    }
}

/* Blocks of four tiles in order; the last one begins at the fourth tile from the end. Scratch: the tiles,
 * the sums, then a tile with its padding. */
TINYC_KERNEL void tinyc_conv_2d_tiles(const struct tinyc_conv_2d_winograd *layer, int32_t channels,
                                      int32_t output_channels, int32_t weight_words, const int8_t *input,
                                      int8_t *output, tinyc_word *tiles, tinyc_winograd_kernel *kernel) {
    const int32_t width = layer->output_width / 2, height = layer->output_height / 2;
    const int32_t last = layer->batches * height * width - 4;
    const int32_t pitch = layer->input_width * channels;
    uint32_t *const sums = (uint32_t *)(tiles + 32 * channels);
    int8_t *const staging = (int8_t *)(sums + 128);

    for (int32_t tile = 0;; tile = tile + 4 < last ? tile + 4 : last) {
        int32_t line = tile / width, x = tile - line * width;
        struct tinyc_winograd_block block = {
            tiles, layer->weights, sums, layer->weights + weight_words, {0, 0, 0, 0}};
        for (int32_t i = 0; i < 4; i++) {
            const int32_t batch = line / height, y = line - batch * height;
            const int32_t top = 2 * y - layer->pad_top, left = 2 * x - layer->pad_left;
            const int8_t *image = input + batch * layer->input_height * pitch;
            const int8_t *from = image + top * pitch + left * channels;
            int32_t step = pitch;
            if (top < 0 || left < 0 || top + 4 > layer->input_height || left + 4 > layer->input_width) {
                tinyc_winograd_border(layer, image, top, left, channels, staging);
                from = staging;
                step = 4 * channels;
            }
            tinyc_winograd_transform(from, step, channels, tiles + i);
            block.outputs[i] = output + (2 * line * layer->output_width + 2 * x) * output_channels;
            if (++x == width) {
                x = 0;
                line++;
            }
        }
        kernel(&block);
        if (tile == last) {
            return;
        }
    }
}

#if !defined(__ARM_FEATURE_DSP)

TINYC_INLINE int8_t tinyc_winograd_output(uint32_t acc, const int32_t *constants, int32_t shift) {
    if (shift >= 0) {
        const int32_t high = (int32_t)(((int64_t)(int32_t)acc * constants[0]) >> 32);
        return (int8_t)tinyc_clamp((constants[1] + high) >> (shift + 2), -128, 127);
    }
    const int32_t twice = (int32_t)acc >> 1;
    const int32_t rounded = tinyc_smmulr(twice, constants[0]) + constants[1] + (twice >> 31);
    return (int8_t)tinyc_clamp(rounded >> constants[2], -128, 127);
}

/* What the assembly of a block computes; `shift` below 0 asks for the double rounding. `row` is a row of
 * outputs in bytes. */
TINYC_INLINE void tinyc_winograd_in_c(struct tinyc_winograd_block *block, int32_t channels, int32_t shift,
                                      int32_t output_channels, int32_t row) {
    const int32_t constants = shift >= 0 ? 3 : 4;
    for (const int32_t *weights = block->weights; weights != block->end;) {
        uint32_t *sums = block->sums;
        memset(sums, 0, 8 * sizeof *sums);
        const tinyc_word *x = block->tiles;
        for (int32_t position = 0; position < 16; position++, sums += 8) {
            if (position > 0) {
                memcpy(sums, sums - 8, 8 * sizeof *sums);
            }
            for (int32_t i = 0; i < channels / 2; i++, weights += 2, x += 4) {
                for (int32_t tile = 0; tile < 4; tile++) {
                    sums[tile] = tinyc_smlad((uint32_t)weights[0], x[tile], sums[tile]);
                    sums[tile + 4] = tinyc_smlad((uint32_t)weights[1], x[tile], sums[tile + 4]);
                }
            }
        }
        for (int32_t half = 0; half < 2; half++, weights += constants) {
            for (int32_t tile = 0; tile < 4; tile++) {
                const uint32_t *r = block->sums + 4 * half + tile;
                const uint32_t bias = (uint32_t)weights[0];
                uint32_t t[2][4];
                for (int32_t x_ = 0; x_ < 4; x_++, r += 32) {
                    t[0][x_] = r[16] - (x_ > 0 ? r[-8] : 0);
                    t[1][x_] = 2 * r[8] - r[0] - r[24];
                    if (x_ == 1) {
                        t[0][x_] += bias;
                        t[1][x_] += bias;
                    }
                }
                int8_t *output = block->outputs[tile];
                for (int32_t y = 0; y < 2; y++, output += row) {
                    const uint32_t left = t[y][0] + t[y][1] + t[y][2];
                    const uint32_t right = t[y][1] - t[y][2] - t[y][3];
                    output[0] = tinyc_winograd_output(left, weights + 1, shift);
                    output[output_channels] = tinyc_winograd_output(right, weights + 1, shift);
                }
                block->outputs[tile]++;
            }
        }
    }
}

#endif

#endif
