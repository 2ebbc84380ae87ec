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

/* The matrix of the first group. */
TINYC_INLINE struct tinyc_mve_matrix tinyc_mve_matrix_of(const struct tinyc_mve_conv_2d *layer, int32_t groups) {
    const struct tinyc_mve_matrix matrix = {
        .depth = layer->kernel_height * layer->kernel_width * layer->depth,
        .channels = layer->channels,
        .outputs = layer->output_channels / groups,
        .pitch = layer->output_channels,
        .weights = layer->weights,
        .bias = layer->bias,
        .multiplier = layer->multiplier,
        .constant = layer->constant,
        .right = layer->right,
        .shift = layer->shift,
        .low = layer->low,
        .high = layer->high,
        .step = 4,
    };
    return matrix;
}

#endif
