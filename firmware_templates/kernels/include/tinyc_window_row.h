/* The inputs under one window as a row of int16, for the kernels of tinyc_panel_rows.h. */
#ifndef TINYC_WINDOW_ROW_H
#define TINYC_WINDOW_ROW_H

#include <stdint.h>

#include "conv_2d.h"
#include "tinyc_panel_rows.h"

TINYC_INLINE void tinyc_fill_s16(int16_t *to, int32_t count, int32_t value) {
    for (; count > 0; count--) {
        *to++ = (int16_t)value;
    }
}

/* im2col: the inputs under one window as a row of int16; `depth` channels from `image` on. Padding
 * holds the input's zero point. */
TINYC_KERNEL void tinyc_window_row(const struct tinyc_conv_2d *layer, const int8_t *image, int32_t top,
                                   int32_t left, int16_t *row) {
    const int32_t zero = -layer->input_offset;
    const int32_t depth = layer->depth, channels = layer->input_channels;
    const int32_t width = layer->input_width, height = layer->input_height;
    const int32_t columns = layer->kernel_width, step = layer->dilation_width;
    const int32_t pitch = columns * depth;
    const int16_t *const end = row + layer->kernel_height * pitch;
    int32_t y = top;

    if (depth == channels && step == 1) {
        /* Neighbouring columns are neighbours in memory: one run per kernel row. */
        const int32_t first = left >= 0 ? 0 : (-left < columns ? -left : columns);
        const int32_t last = left + columns <= width ? columns : (left < width ? width - left : 0);
        const int32_t before = first * depth;
        const int32_t run = last > first ? (last - first) * depth : 0;
        const int32_t after = pitch - before - run;
        for (; row != end; row += pitch, y += layer->dilation_height) {
            if (y < 0 || y >= height || run == 0) {
                tinyc_fill_s16(row, pitch, zero);
                continue;
            }
            tinyc_widen(row + before, image + (y * width + left + first) * channels, run);
            if (run != pitch) {
                tinyc_fill_s16(row, before, zero);
                tinyc_fill_s16(row + before + run, after, zero);
            }
        }
        return;
    }
    for (int32_t kx = 0, x = left; row != end; row += depth) {
        if (y < 0 || y >= height || x < 0 || x >= width) {
            tinyc_fill_s16(row, depth, zero);
        } else {
            tinyc_widen(row, image + (y * width + x) * channels, depth);
        }
        x += step;
        if (++kx == columns) {
            kx = 0;
            x = left;
            y += layer->dilation_height;
        }
    }
}

#endif
