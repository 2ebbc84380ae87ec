/* Blocks over any window: the inputs under each pixel are gathered run by run. */
#ifndef TINYC_BLOCKS_WINDOWS_H
#define TINYC_BLOCKS_WINDOWS_H

#include <stdint.h>

#include "tinyc_blocks.h"

/* A run that begins `first` bytes before the image's row and ends behind it, or is not in it at all. */
TINYC_KERNEL tinyc_word *tinyc_gather_border(const struct tinyc_conv_2d_blocks *layer, tinyc_word *to,
                                             const int8_t *row, int32_t first, int8_t *staging) {
    const int32_t bytes = layer->input_width * layer->input_channels;
    for (int32_t i = 0; i < layer->run; i++) {
        const int32_t at = first + i;
        staging[i] = row != 0 && at >= 0 && at < bytes ? row[at] : (int8_t)layer->padding;
    }
    return tinyc_gather_run(to, staging, layer->run);
}

/* The window of one output pixel, whose top left input is (top, left). */
TINYC_INLINE void tinyc_gather_pixel(const struct tinyc_conv_2d_blocks *layer, const int8_t *image,
                                     int32_t top, int32_t left, tinyc_word *to, int8_t *staging) {
    const int32_t channels = layer->input_channels;
    const int32_t pitch = layer->input_width * channels;
    const int32_t reach = (layer->kernel_width - 1) * layer->dilation_width;
    const int32_t bottom = top + (layer->kernel_height - 1) * layer->dilation_height;

    if (top >= 0 && left >= 0 && bottom < layer->input_height && left + reach < layer->input_width) {
        const int8_t *row = image + top * pitch + left * channels;
        for (int32_t ky = layer->kernel_height; ky > 0; ky--, row += layer->dilation_height * pitch) {
            const int8_t *from = row;
            for (int32_t run = layer->runs; run > 0; run--, from += layer->run_step) {
                to = tinyc_gather_run(to, from, layer->run);
            }
        }
        return;
    }
    for (int32_t y = top; y <= bottom; y += layer->dilation_height) {
        const int8_t *row = y >= 0 && y < layer->input_height ? image + y * pitch : 0;
        int32_t first = left * channels;
        for (int32_t run = layer->runs; run > 0; run--, first += layer->run_step) {
            to = tinyc_gather_border(layer, to, row, first, staging);
        }
    }
}

/* Blocks of four pixels in order. The last block begins at the fourth pixel from the end, so that it
 * computes some pixels a second time where they are no multiple of 4. Scratch: the panel, then a run. */
TINYC_KERNEL void tinyc_conv_2d_windows(const struct tinyc_conv_2d_blocks *layer, const int8_t *input,
                                           int8_t *output, void *scratch, int32_t panel_bytes,
                                           tinyc_block_kernel *kernel) {
    const int32_t image = layer->input_height * layer->input_width * layer->input_channels;
    const int32_t area = layer->output_height * layer->output_width;
    const int32_t last = layer->batches * area - 4;
    tinyc_word *const panel = scratch;
    int8_t *const staging = (int8_t *)scratch + panel_bytes;

    for (int32_t pixel = 0;; pixel = pixel + 4 < last ? pixel + 4 : last) {
        const int32_t batch = pixel / area;
        const int8_t *source = input + batch * image;
        int32_t y = (pixel - batch * area) / layer->output_width;
        int32_t x = pixel - batch * area - y * layer->output_width;
        int32_t top = y * layer->stride_height - layer->pad_top;
        int32_t left = x * layer->stride_width - layer->pad_left;
        for (int32_t i = 0; i < 4; i++) {
            tinyc_gather_pixel(layer, source, top, left, panel + i, staging);
            left += layer->stride_width;
            if (++x == layer->output_width) {
                x = 0;
                left = -layer->pad_left;
                top += layer->stride_height;
                if (++y == layer->output_height) {
                    y = 0;
                    top = -layer->pad_top;
                    source += image;
                }
            }
        }
        tinyc_run_block(layer, panel, output + pixel * layer->output_channels, kernel);
        if (pixel == last) {
            return;
        }
    }
}

#endif
