/* Blocks over any window: the inputs under each pixel are gathered run by run. A run are neighbouring
 * inputs of one kernel row: the whole row, or one pixel where the window is dilated. */
#ifndef TINYC_BLOCKS_WINDOWS_H
#define TINYC_BLOCKS_WINDOWS_H

#include <stdint.h>

#include "tinyc_blocks.h"

/* `count` inputs of the padding. */
TINYC_INLINE tinyc_word *tinyc_gather_padding(tinyc_word *to, int32_t padding, int32_t count) {
    const uint32_t pair = tinyc_pack_bottoms((uint32_t)padding, (uint32_t)padding);
    for (; count > 0; count -= 2, to += 4) {
        to[0] = pair;
    }
    return to;
}

/* A run that begins at column `x` of a row. Pixels beyond the row are padding: `channels` is a multiple of
 * 4 here, so that every pixel has words of its own. */
TINYC_INLINE tinyc_word *tinyc_gather_border(const struct tinyc_conv_2d_blocks *layer, tinyc_word *to,
                                             const int8_t *row, int32_t x, int32_t pixels, int32_t channels) {
    const int32_t width = layer->input_width;
    const int32_t before = x >= 0 ? 0 : (-x < pixels ? -x : pixels);
    const int32_t end = x + pixels <= width ? pixels : (x < width ? width - x : 0);
    const int32_t inside = end > before ? end - before : 0;
    to = tinyc_gather_padding(to, layer->padding, before * channels);
    if (inside > 0) {
        to = tinyc_gather_run(to, row + (x + before) * channels, inside * channels);
    }
    return tinyc_gather_padding(to, layer->padding, (pixels - before - inside) * channels);
}

/* The window of one output pixel, whose top left input is (top, left). */
TINYC_INLINE void tinyc_gather_window(const struct tinyc_conv_2d_blocks *layer, struct tinyc_gather window,
                                      const int8_t *image, int32_t top, int32_t left, tinyc_word *to) {
    const int32_t channels = window.channels, run = window.pixels * channels;
    const int32_t pitch = layer->input_width * channels;
    const int32_t bottom = top + (window.rows - 1) * window.row_step;
    const int32_t right = left + (window.runs - 1) * window.pixel_step + window.pixels;

    if (window.is_padded &&
        (top < 0 || left < 0 || bottom >= layer->input_height || right > layer->input_width)) {
        for (int32_t ky = 0, y = top; ky < window.rows; ky++, y += window.row_step) {
            for (int32_t kx = 0, x = left; kx < window.runs; kx++, x += window.pixel_step) {
                if (y < 0 || y >= layer->input_height) {
                    to = tinyc_gather_padding(to, layer->padding, run);
                } else {
                    to = tinyc_gather_border(layer, to, image + y * pitch, x, window.pixels, channels);
                }
            }
        }
        return;
    }
    const int8_t *row = image + top * pitch + left * channels;
    for (int32_t ky = 0; ky < window.rows; ky++, row += window.row_step * pitch) {
        const int8_t *from = row;
        for (int32_t kx = 0; kx < window.runs; kx++, from += window.pixel_step * channels) {
            to = tinyc_gather_run(to, from, run);
        }
    }
}

/* Blocks of four pixels in order. The last block begins at the fourth pixel from the end, so that it
 * computes some pixels a second time where they are no multiple of 4. Scratch: the panel. */
TINYC_KERNEL void tinyc_conv_2d_windows(const struct tinyc_conv_2d_blocks *layer,
                                        const struct tinyc_gather *shape, const int8_t *input, int8_t *output,
                                        tinyc_word *panel, tinyc_block_kernel *kernel) {
    const struct tinyc_gather window = *shape;
    const int32_t image = layer->input_height * layer->input_width * window.channels;
    const int32_t width = layer->output_width, height = layer->output_height;
    const int32_t last = layer->batches * height * width - 4;

    for (int32_t pixel = 0;; pixel = pixel + 4 < last ? pixel + 4 : last) {
        const int32_t line = pixel / width, batch = line / height;
        const int8_t *source = input + batch * image;
        int32_t y = line - batch * height, x = pixel - line * width;
        for (int32_t i = 0; i < 4; i++) {
            tinyc_gather_window(layer, window, source, y * layer->stride_height - layer->pad_top,
                                x * layer->stride_width - layer->pad_left, panel + i);
            if (++x == width) {
                x = 0;
                if (++y == height) {
                    y = 0;
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
