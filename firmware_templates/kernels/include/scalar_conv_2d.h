#ifndef TINYC_SCALAR_CONV_2D_H
#define TINYC_SCALAR_CONV_2D_H

#include <stdint.h>

/* As struct tinyc_conv_2d; `words` holds each output channel's struct tinyc_scalar_channel and its
 * weights, or what a kernel says. */
struct tinyc_scalar_conv_2d {
    int32_t batches;
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t depth; /* input channels of one filter */
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t input_zero, output_offset;
    int32_t low, high;
    const uint32_t *words;
};

#endif
