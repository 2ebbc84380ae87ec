/* Windows as rows of a matrix product. */
#ifndef TINYC_MVE_CONV_2D_H
#define TINYC_MVE_CONV_2D_H

#include "tinyc_mve_matrix.h"

struct tinyc_mve_conv_2d {
    int32_t batches;
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t depth; /* input channels of a group */
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t padding;  /* the input's zero point */
    int32_t channels; /* of a group, four or more, see `struct tinyc_mve_matrix` */
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier, *constant, *right;
    int32_t shift;
    int32_t low, high;
};

/* The inputs under one window, one behind the other, of the group whose first one is at `image`. */
TINYC_KERNEL void tinyc_mve_window(const struct tinyc_mve_conv_2d *layer, const int8_t *image, int32_t top,
                                   int32_t left, int8_t *to) {
    const int32_t width = layer->input_width, channels = layer->input_channels, depth = layer->depth;
    const int32_t columns = layer->kernel_width, pitch = columns * channels;
    int32_t y = top;
    if (layer->dilation_width == 1 && depth == channels) {
        /* Neighbouring columns are neighbours in memory: one run per kernel row. */
        const int32_t first = left >= 0 ? 0 : (-left < columns ? -left : columns);
        const int32_t last = left + columns <= width ? columns : (left < width ? width - left : 0);
        const int32_t before = first * channels, run = last > first ? (last - first) * channels : 0;
        for (int32_t row = layer->kernel_height; row > 0; row--, to += pitch, y += layer->dilation_height) {
            const int32_t inside = y >= 0 && y < layer->input_height ? run : 0;
            if (inside != pitch) {
                tinyc_mve_fill(to, layer->padding, pitch);
            }
            if (inside != 0) {
                tinyc_mve_copy(to + before, image + (y * width + left + first) * channels, inside);
            }
        }
        return;
    }
    for (int32_t row = layer->kernel_height; row > 0; row--, y += layer->dilation_height) {
        int32_t x = left;
        for (int32_t column = columns; column > 0; column--, to += depth, x += layer->dilation_width) {
            if (y < 0 || y >= layer->input_height || x < 0 || x >= width) {
                tinyc_mve_fill(to, layer->padding, depth);
            } else {
                tinyc_mve_copy(to, image + (y * width + x) * channels, depth);
            }
        }
    }
}

#endif
