/* A pointwise convolution and the depthwise convolution of its output, without the tensor between them. */
#ifndef TINYC_CONV_DEPTHWISE_H
#define TINYC_CONV_DEPTHWISE_H

#include <stdint.h>

#include "tinyc_blocks.h"
#include "tinyc_planes.h"

/* Some output rows at a time: the input rows under them are convolved straight into planes, one for each
 * channel, then the depthwise routine runs over the planes. For the next tile the window of all planes slides
 * down by the rows that are done with: the rows that both tiles need stay where they are, and new ones take
 * the place of rows of the plane behind. When there is no more room the shared rows move back to the top. */
struct tinyc_conv_depthwise {
    int32_t batches;
    int32_t height, width;   /* of the planes' image, and of the input */
    int32_t depth, channels; /* of the input, and of the planes and the output */
    int32_t words, record;   /* 32-bit words of a pixel in the panel, and of a record of the convolution */
    int32_t pitch, plane;    /* bytes of a row of a plane, and of a plane */
    int32_t buffer, room;    /* bytes of all planes, a multiple of 16, and those that the window may slide */
    int32_t top, left;       /* rows and columns of padding */
    int32_t outputs, tile;   /* output rows, and those of a tile */
    int32_t stride, reach;   /* rows from one output row to the next, and below one */
    int32_t output_step;     /* bytes of an output row */
    uint32_t outside;        /* zero point of the planes, in both halves */
    const int32_t *weights, *depthwise_weights; /* records of pairs of channels, and of channels */
};

/* The tile at hand. */
struct tinyc_conv_depthwise_tile {
    struct tinyc_planes planes;
    const struct tinyc_conv_depthwise *layer;
    const int8_t *input; /* of the batch */
    tinyc_word *panel;
    int32_t batches;        /* behind this one */
    int32_t left;           /* output rows from this tile on */
    int32_t origin, filled; /* rows of the image: the first of the window, and below the last in planes */
    const int8_t *from;     /* what is to be convolved: `pixels` of the input, to the plane of the first channel */
    uint8_t *to;
    int32_t pixels;
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

/* Convolves what the tile adds. Inlined with constants for `depth` and `scattered`: whether blocks of four
 * pixels reach beyond a row. Then the last block begins at the fourth pixel from the end and computes some
 * pixels a second time. */
TINYC_INLINE void tinyc_fill_planes(const struct tinyc_conv_depthwise_tile *tile, int32_t depth,
                                    int32_t scattered, tinyc_block_kernel *kernel) {
    const struct tinyc_conv_depthwise *layer = tile->layer;
    const int32_t width = layer->width, channels = layer->channels, plane = layer->plane;
    const int32_t last = tile->pixels - 4;
    struct tinyc_scattered_block scatter;
    struct tinyc_block *block = &scatter.block;
    int32_t column = 0;
    uint8_t *row = tile->to;

    if (tile->pixels <= 0) {
        return;
    }
    block->panel = tile->panel;
    block->panel_end = tile->panel + 4 * layer->words;
    for (int32_t pixel = 0;; pixel = pixel + 4 < last ? pixel + 4 : last) {
        const int8_t *from = tile->from + pixel * depth;
        for (int32_t i = 0; i < 4; i++, from += depth) {
            tinyc_gather_run(tile->panel + i, from, depth);
        }
        int8_t *output = (int8_t *)row;
        if (scattered) {
            int32_t y = pixel / width, x = pixel - y * width;
            for (int32_t i = 0; i < 4; i++) {
                scatter.places[i] = y * layer->pitch + 2 * x;
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
                row += layer->pitch;
            }
        }
        block->records = layer->weights;
        block->output = output;
        block->end = output + channels * plane;
        if (channels % 2 != 0) {
            /* The first pair overlaps the next. */
            block->end = output + 2 * plane;
            kernel(block);
            block->records += layer->record;
            block->output = output + plane;
            block->end = output + channels * plane;
        }
        kernel(block);
        if (pixel == last) {
            return;
        }
    }
}

/* A layer before its first tile. */
TINYC_INLINE struct tinyc_conv_depthwise_tile tinyc_conv_depthwise_start(const struct tinyc_conv_depthwise *layer,
                                                                         const int8_t *input, int8_t *output,
                                                                         tinyc_word *scratch) {
    const struct tinyc_conv_depthwise_tile tile = {
        .planes = {.record = layer->depthwise_weights, .output = output, .channels = layer->channels},
        .layer = layer,
        .input = input,
        .panel = scratch,
        .batches = layer->batches,
    };
    return tile;
}

/* The first window of a batch: nothing but padding. */
TINYC_INLINE void tinyc_planes_clear(const struct tinyc_conv_depthwise *layer, tinyc_word *planes) {
    for (const tinyc_word *end = planes + layer->buffer / 4; planes != end; planes += 4) {
        planes[0] = layer->outside;
        planes[1] = layer->outside;
        planes[2] = layer->outside;
        planes[3] = layer->outside;
    }
}

/* The next tile; answers whether there is one. */
TINYC_KERNEL int32_t tinyc_conv_depthwise_next(struct tinyc_conv_depthwise_tile *tile) {
    const struct tinyc_conv_depthwise *layer = tile->layer;
    const int32_t pitch = layer->pitch, plane = layer->plane, height = layer->height;
    const int32_t step = layer->tile * layer->stride; /* rows from tile to tile */
    uint8_t *const top = (uint8_t *)(tile->panel + 4 * layer->words), *window = tile->planes.planes;

    tile->planes.output += tile->planes.rows * layer->output_step;
    tile->left -= tile->planes.rows;
    if (tile->left > 0) {
        tile->origin += step;
        window += step * pitch;
        if (window - top > layer->room) {
            const int32_t bytes = (layer->reach - layer->stride) * pitch; /* of a plane that both tiles need */
            const uint8_t *from = window;
            window = top;
            for (int32_t channel = 0; channel < layer->channels; channel++, from += plane) {
                uint8_t *to = top + channel * plane;
                for (int32_t at = 0; at < bytes; at += 4) {
                    *(tinyc_word *)(void *)(to + at) = *(const tinyc_word *)(const void *)(from + at);
                }
            }
        }
    } else {
        if (tile->batches == 0) {
            return 0;
        }
        if (tile->batches-- < layer->batches) {
            tile->input += height * layer->width * layer->depth;
        }
        tile->left = layer->outputs;
        tile->origin = -layer->top;
        tile->filled = 0;
        window = top;
        tinyc_planes_clear(layer, (tinyc_word *)(void *)top);
    }
    const int32_t rows = tile->left < layer->tile ? tile->left : layer->tile;
    const int32_t bottom = tile->origin + (rows - 1) * layer->stride + layer->reach;
    const int32_t end = bottom < height ? bottom : height;
    const int32_t first = tile->filled > tile->origin ? tile->filled : tile->origin;
    tile->planes.rows = rows;
    tile->planes.planes = window;
    tile->from = tile->input + first * layer->width * layer->depth;
    tile->to = window + (first - tile->origin) * pitch + 2 * layer->left;
    tile->pixels = (end - first) * layer->width;
    tile->filled = end > first ? end : first;
    if (bottom > height) {
        const int32_t inside = height > tile->origin ? height - tile->origin : 0;
        const int32_t bytes = (bottom - tile->origin - inside) * pitch;
        uint8_t *below = window + inside * pitch;
        for (int32_t channel = 0; channel < layer->channels; channel++, below += plane) {
            for (int32_t at = 0; at < bytes; at += 4) {
                *(tinyc_word *)(void *)(below + at) = layer->outside;
            }
        }
    }
    return 1;
}

#endif
