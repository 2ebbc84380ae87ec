#ifndef TINYC_CONV_2D_H
#define TINYC_CONV_2D_H

#include <stdint.h>

/* One struct for CONV_2D and DEPTHWISE_CONV_2D. Activations are [batch][height][width][channels].
 * Padding: `pad_top` and `pad_left` positions before the input; what lies behind it follows from
 * the output size. */
struct tinyc_conv_2d {
    int32_t batches;
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t depth; /* CONV_2D: input channels of one filter; DEPTHWISE: filters per input channel */
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t input_offset, output_offset;
    int32_t low, high;
    int32_t per_channel; /* 1: one multiplier and shift per output channel, 0: one for all */
    const int8_t *weights; /* one in a byte, or two where the name of the kernel has s4 */
    const int32_t *bias; /* always present */
    const int32_t *multiplier;
    const int8_t *shift;
};

#endif
