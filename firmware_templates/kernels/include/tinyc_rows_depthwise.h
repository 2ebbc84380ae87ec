/* A convolution of few channels with padding, as first layers are, and the depthwise convolution of its output. */
#ifndef TINYC_ROWS_DEPTHWISE_H
#define TINYC_ROWS_DEPTHWISE_H

#include <stdint.h>

#include "tinyc_blocks_rows.h"
#include "tinyc_conv_depthwise.h"

struct tinyc_rows_depthwise {
    struct tinyc_conv_2d_blocks conv;
    struct tinyc_sliding sliding; /* its `depth` is 0: the input is found by rows */
    const int32_t *depthwise_weights;
};

/* Convolves what the tile adds, as tinyc_conv_2d_rows does. Inlined with constants for the numbers of the window,
 * `pitch` and `scattered`. */
TINYC_INLINE void tinyc_fill_planes_by_rows(const struct tinyc_rows_depthwise *layer,
                                            const struct tinyc_sliding_tile *tile, struct tinyc_gather window,
                                            tinyc_word *panel, int8_t *rows, int32_t pitch, int32_t scattered,
                                            tinyc_block_kernel *kernel) {
    const struct tinyc_conv_2d_blocks *conv = &layer->conv;
    const int32_t width = layer->sliding.width, channels = layer->sliding.channels;
    const int32_t plane = layer->sliding.plane, last = tile->rows * width - 4;
    const int32_t batch = layer->sliding.batches - 1 - tile->batches, first = tile->filled - tile->rows;
    const int8_t *image = tile->input + batch * conv->input_height * conv->input_width * window.channels;
    uint8_t *const to = tile->to + 2 * layer->sliding.left;
    struct tinyc_scattered_block scatter;
    int32_t padded = -1;

    if (tile->rows <= 0) {
        return;
    }
    scatter.block.panel = panel;
    scatter.block.panel_end = panel + 4 * conv->words;
    for (int32_t pixel = 0;; pixel = pixel + 4 < last ? pixel + 4 : last) {
        int32_t line = pixel / width, x = pixel - line * width;
        int8_t *output = (int8_t *)to;
        if (!scattered) {
            output += line * layer->sliding.pitch + 2 * x;
        }
        for (int32_t i = 0; i < 4; i++) {
            if (line != padded) {
                tinyc_pad_rows(conv, window, image, first + line, rows, pitch);
                padded = line;
            }
            tinyc_gather_from_rows(panel + i, rows + x * conv->stride_width * window.channels, window, pitch);
            if (scattered) {
                scatter.places[i] = line * layer->sliding.pitch + 2 * x;
            }
            if (++x == width) {
                x = 0;
                line++;
            }
        }
        tinyc_run_block_to_planes(&scatter.block, conv->weights, conv->record, output, channels, plane, kernel);
        if (pixel == last) {
            return;
        }
    }
}

#endif
