#ifndef TINYC_CONV_2D_F32_H
#define TINYC_CONV_2D_F32_H

#include <stdint.h>

#include "tinyc_float.h"

/* CONV_2D and DEPTHWISE_CONV_2D: `filters` output channels share `depth` input channels. The weight of an
 * output channel c, a tap (of the window, row by row) and an input channel d lies at
 * c * filter_stride + tap * tap_stride + d. `bias` is always present. */
struct tinyc_conv_2d_f32 {
    int32_t batches;
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t depth;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t filters, filter_stride, tap_stride;
    float low, high;
    const float *weights;
    const float *bias;
};

#endif
