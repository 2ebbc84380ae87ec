/* Blocks over a padded window of few channels: the rows under a row of outputs are copied with their
 * padding, and the inputs of each pixel are gathered from the copy. The functions are inlined with constants
 * for the numbers of the window. */
#ifndef TINYC_BLOCKS_ROWS_H
#define TINYC_BLOCKS_ROWS_H

#include <stdint.h>
#include <string.h>

#include "tinyc_blocks.h"

/* The input rows under output row `y`, each `pitch` bytes long with its padding. */
TINYC_INLINE void tinyc_pad_rows(const struct tinyc_conv_2d_blocks *layer, struct tinyc_gather window,
                                 const int8_t *image, int32_t y, int8_t *rows, int32_t pitch) {
    const int32_t bytes = layer->input_width * window.channels;
    const int32_t before = layer->pad_left * window.channels;
    int32_t source = y * layer->stride_height - layer->pad_top;
    memset(rows, layer->padding, (uint32_t)(window.rows * pitch));
    for (int32_t ky = 0; ky < window.rows; ky++, source += window.row_step, rows += pitch) {
        if (source >= 0 && source < layer->input_height) {
            memcpy(rows + before, image + source * bytes, (uint32_t)bytes);
        }
    }
}

/* The window of one output pixel, whose first row begins at `row`. */
TINYC_INLINE void tinyc_gather_from_rows(tinyc_word *to, const int8_t *row, struct tinyc_gather window,
                                         int32_t pitch) {
    for (int32_t ky = 0; ky < window.rows; ky++, row += pitch) {
        const int8_t *from = row;
        for (int32_t kx = 0; kx < window.runs; kx++, from += window.pixel_step * window.channels) {
            to = tinyc_gather_run(to, from, window.pixels * window.channels);
        }
    }
}

/* Blocks of four pixels in order. The last block begins at the fourth pixel from the end, so that it
 * computes some pixels a second time where they are no multiple of 4. Scratch: the panel, then the rows. */
TINYC_INLINE void tinyc_conv_2d_rows(const struct tinyc_conv_2d_blocks *layer, struct tinyc_gather window,
                                     const int8_t *input, int8_t *output, tinyc_word *panel, int8_t *rows,
                                     int32_t pitch, tinyc_block_kernel *kernel) {
    const int32_t image = layer->input_height * layer->input_width * window.channels;
    const int32_t width = layer->output_width, height = layer->output_height;
    const int32_t last = layer->batches * height * width - 4;
    int32_t padded = -1;

    for (int32_t pixel = 0;; pixel = pixel + 4 < last ? pixel + 4 : last) {
        int32_t line = pixel / width, x = pixel - line * width;
        for (int32_t i = 0; i < 4; i++) {
            if (line != padded) {
                const int32_t batch = line / height;
                tinyc_pad_rows(layer, window, input + batch * image, line - batch * height, rows, pitch);
                padded = line;
            }
            tinyc_gather_from_rows(panel + i, rows + x * layer->stride_width * window.channels, window, pitch);
            if (++x == width) {
                x = 0;
                line++;
            }
        }
        tinyc_run_block(layer, panel, output + pixel * layer->output_channels, kernel);
        if (pixel == last) {
            return;
        }
    }
}

#endif
