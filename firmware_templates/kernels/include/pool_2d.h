#ifndef TINYC_POOL_2D_H
#define TINYC_POOL_2D_H

#include <stdint.h>

/* Layouts are [batch][y][x][channel]. The window of output (y, x) starts at input
   (y * stride_height - pad_top, x * stride_width - pad_left) and is cut at the edges. */
struct tinyc_pool_2d {
    int32_t batches, channels;
    int32_t input_height, input_width;
    int32_t output_height, output_width;
    int32_t filter_height, filter_width;
    int32_t stride_height, stride_width;
    int32_t pad_top, pad_left;
    int32_t low, high;
};

/* The part of a window that lies inside one input image. */
struct tinyc_window {
    int32_t rows, columns;
    int32_t first;    /* offset of its first element */
    int32_t row_step; /* from the element after a row's last to the next row's first */
};

TINYC_INLINE struct tinyc_window tinyc_pool_window(const struct tinyc_pool_2d *layer, int32_t y,
                                                   int32_t x) {
    const int32_t y0 = y * layer->stride_height - layer->pad_top;
    const int32_t x0 = x * layer->stride_width - layer->pad_left;
    const int32_t top = y0 > 0 ? y0 : 0;
    const int32_t left = x0 > 0 ? x0 : 0;
    const int32_t y1 = y0 + layer->filter_height;
    const int32_t x1 = x0 + layer->filter_width;
    struct tinyc_window window;
    window.rows = (y1 < layer->input_height ? y1 : layer->input_height) - top;
    window.columns = (x1 < layer->input_width ? x1 : layer->input_width) - left;
    window.first = (top * layer->input_width + left) * layer->channels;
    window.row_step = (layer->input_width - window.columns) * layer->channels;
    return window;
}

/* sum / count to the nearest integer, ties away from zero, clamped. */
TINYC_INLINE int32_t tinyc_pool_mean(const struct tinyc_pool_2d *layer, int32_t sum, int32_t count) {
    const int32_t half = count / 2;
    return tinyc_clamp((sum > 0 ? sum + half : sum - half) / count, layer->low, layer->high);
}

#endif
