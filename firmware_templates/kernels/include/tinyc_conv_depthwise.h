/* A convolution and the depthwise convolution of its output, without the tensor between them: what the
 * drivers share, and that of pointwise convolutions. */
#ifndef TINYC_CONV_DEPTHWISE_H
#define TINYC_CONV_DEPTHWISE_H

#include <stdint.h>

#include "tinyc_blocks.h"
#include "tinyc_sliding.h"

struct tinyc_conv_depthwise {
    struct tinyc_sliding sliding;
    uint16_t words, record; /* 32-bit words of a pixel in the panel, and of a record of the convolution */
    const int32_t *weights, *depthwise_weights; /* records of pairs of channels, and of channels */
};

/* A block whose pixels lie anywhere in a plane: assembly finds their places before it. */
struct tinyc_scattered_block {
    int32_t places[4];
    struct tinyc_block block;
};

#if !defined(__ARM_FEATURE_DSP)

TINYC_INLINE void tinyc_block_to_planes_in_c(const struct tinyc_block *block, int32_t shift, int32_t plane,
                                             int32_t scattered) {
    const int32_t *record = block->records, *places = (const int32_t *)(const void *)block - 4;
    for (int8_t *output = block->output; output != block->end; output += 2 * plane) {
        for (int32_t pixel = 0; pixel < 4; pixel++) {
            int8_t *to = output + (scattered ? places[pixel] : 2 * pixel);
            int32_t pair[2];
            tinyc_pair_in_c(block, record, pixel, shift, pair);
            *(int16_t *)(void *)to = (int16_t)pair[0];
            *(int16_t *)(void *)(to + plane) = (int16_t)pair[1];
        }
        record += tinyc_record_in_c(block, shift);
    }
}

#endif

/* The pair of channels after pair, of one block whose first output lies at `output` in its plane. */
TINYC_INLINE void tinyc_run_block_to_planes(struct tinyc_block *block, const int32_t *records, int32_t record,
                                            int8_t *output, int32_t channels, int32_t plane,
                                            tinyc_block_kernel *kernel) {
    block->records = records;
    block->output = output;
    block->end = output + channels * plane;
    if (channels % 2 != 0) {
        /* The first pair overlaps the next. */
        block->end = output + 2 * plane;
        kernel(block);
        block->records += record;
        block->output = output + plane;
        block->end = output + channels * plane;
    }
    kernel(block);
}

/* Convolves what the tile adds. Inlined with constants for `depth` and `scattered`: whether blocks of four
 * pixels reach beyond a row. Then the last block begins at the fourth pixel from the end and computes some
 * pixels a second time. */
TINYC_INLINE void tinyc_fill_planes(const struct tinyc_conv_depthwise *layer,
                                    const struct tinyc_sliding_tile *tile, tinyc_word *panel, int32_t depth,
                                    int32_t scattered, tinyc_block_kernel *kernel) {
    const int32_t width = layer->sliding.width, channels = layer->sliding.channels;
    const int32_t pitch = layer->sliding.pitch, plane = layer->sliding.plane;
    const int32_t last = tile->rows * width - 4;
    struct tinyc_scattered_block scatter;
    struct tinyc_block *block = &scatter.block;
    int32_t column = 0;
    uint8_t *row = tile->to + 2 * layer->sliding.left;

    if (tile->rows <= 0) {
        return;
    }
    block->panel = panel;
    block->panel_end = panel + 4 * layer->words;
    for (int32_t pixel = 0;; pixel = pixel + 4 < last ? pixel + 4 : last) {
        const int8_t *from = tile->from + pixel * depth;
        for (int32_t i = 0; i < 4; i++, from += depth) {
            tinyc_gather_run(panel + i, from, depth);
        }
        int8_t *output = (int8_t *)row;
        if (scattered) {
            int32_t y = pixel / width, x = pixel - y * width;
            for (int32_t i = 0; i < 4; i++) {
                scatter.places[i] = y * pitch + 2 * x;
                if (++x == width) {
                    x = 0;
                    y++;
                }
            }
        } else {
            output += 2 * column;
            column += 4;
            if (column == width) {
                column = 0;
                row += pitch;
            }
        }
        tinyc_run_block_to_planes(block, layer->weights, layer->record, output, channels, plane, kernel);
        if (pixel == last) {
            return;
        }
    }
}

#endif
