#ifndef TINYC_SCALAR_CONV_2D_H
#define TINYC_SCALAR_CONV_2D_H

#include <stdint.h>

#include "tinyc_scalar.h"

/* As struct tinyc_conv_2d; `words` holds each output channel's head and weights, as tinyc_scalar.h
 * says. */
struct tinyc_scalar_conv_2d {
    int32_t batches;
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t depth; /* input channels of one filter */
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t input_zero;
    struct tinyc_scalar_range range;
    const uint32_t *words;
};

#endif
