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

/* Convolves rows of pixels into planes: `planes` is the place of the first in that of the first channel. */
typedef void tinyc_fill_kernel(const struct tinyc_conv_depthwise *layer, const int8_t *input, uint8_t *planes,
                               int32_t pixels, tinyc_word *panel);
typedef void tinyc_planes_kernel(const struct tinyc_planes *planes);

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

/* Inlined with constants for `depth` and `scattered`: whether blocks of four pixels reach beyond a row. Then
 * the last block begins at the fourth pixel from the end and computes some pixels a second time. */
TINYC_INLINE void tinyc_fill_planes(const struct tinyc_conv_depthwise *layer, int32_t depth, int32_t scattered,
                                    const int8_t *input, uint8_t *planes, int32_t pixels, tinyc_word *panel,
                                    tinyc_block_kernel *kernel) {
    const int32_t width = layer->width, channels = layer->channels, plane = layer->plane, last = pixels - 4;
    struct tinyc_scattered_block scatter;
    struct tinyc_block *block = &scatter.block;
    int32_t column = 0;

    block->panel = panel;
    block->panel_end = panel + 4 * layer->words;
    for (int32_t pixel = 0;; pixel = pixel + 4 < last ? pixel + 4 : last) {
        const int8_t *from = input + pixel * depth;
        for (int32_t i = 0; i < 4; i++, from += depth) {
            tinyc_gather_run(panel + i, from, depth);
        }
        int8_t *output = (int8_t *)planes;
        if (scattered) {
            int32_t row = pixel / width, x = pixel - row * width;
            for (int32_t i = 0; i < 4; i++) {
                scatter.places[i] = row * layer->pitch + 2 * x;
                if (++x == width) {
                    x = 0;
                    row++;
                }
            }
        } else {
            output += 2 * column;
            column += 4;
            if (column == width) {
                column = 0;
                planes += layer->pitch;
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

TINYC_KERNEL void tinyc_conv_depthwise(const struct tinyc_conv_depthwise *layer, const int8_t *input,
                                       int8_t *output, tinyc_word *panel, tinyc_fill_kernel *fill,
                                       tinyc_planes_kernel *kernel) {
    const int32_t pitch = layer->pitch, plane = layer->plane, height = layer->height;
    const int32_t step = layer->tile * layer->stride; /* rows from tile to tile */
    const int32_t shared = (layer->reach - layer->stride) * pitch;
    uint8_t *const top = (uint8_t *)(panel + 4 * layer->words);
    struct tinyc_planes planes = {.record = layer->depthwise_weights, .output = output, .channels = layer->channels};

    for (int32_t batch = 0; batch < layer->batches; batch++, input += height * layer->width * layer->depth) {
        uint8_t *window = top;
        int32_t origin = -layer->top, filled = 0; /* rows of the image: the window's first, and below the last */
        tinyc_word *word = (tinyc_word *)(void *)top;
        for (const uint8_t *end = top + layer->buffer; (const uint8_t *)word != end; word += 4) {
            word[0] = layer->outside;
            word[1] = layer->outside;
            word[2] = layer->outside;
            word[3] = layer->outside;
        }
        for (int32_t left = layer->outputs; left > 0; left -= planes.rows) {
            planes.rows = left < layer->tile ? left : layer->tile;
            const int32_t bottom = origin + (planes.rows - 1) * layer->stride + layer->reach;
            const int32_t end = bottom < height ? bottom : height;
            if (filled < origin) {
                filled = origin;
            }
            if (end > filled) {
                fill(layer, input + filled * layer->width * layer->depth,
                     window + (filled - origin) * pitch + 2 * layer->left, (end - filled) * layer->width, panel);
                filled = end;
            }
            if (bottom > height) {
                uint8_t *below = window + (height > origin ? height - origin : 0) * pitch;
                const int32_t bytes = (bottom - (height > origin ? height : origin)) * pitch;
                for (int32_t channel = 0; channel < layer->channels; channel++, below += plane) {
                    for (int32_t at = 0; at < bytes; at += 4) {
                        *(tinyc_word *)(void *)(below + at) = layer->outside;
                    }
                }
            }
            planes.planes = window;
            kernel(&planes);
            planes.output += planes.rows * layer->output_step;
            origin += step;
            window += step * pitch;
            if (window - top > layer->room && left > planes.rows) {
                const uint8_t *from = window;
                window = top;
                for (int32_t channel = 0; channel < layer->channels; channel++, from += plane) {
                    uint8_t *to = top + channel * plane;
                    for (int32_t at = 0; at < shared; at += 4) {
                        *(tinyc_word *)(void *)(to + at) = *(const tinyc_word *)(const void *)(from + at);
                    }
                }
            }
        }
    }
}

#endif
