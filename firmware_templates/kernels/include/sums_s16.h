/* int16 activations times int8 weights; all zero points are 0. */
#ifndef TINYC_SUMS_S16_H
#define TINYC_SUMS_S16_H

#include <stdint.h>

/* narrow: sums wrap at 32 bits and `shift` is that of tinyc_requantize; otherwise they have 64 bits,
 * `multiplier` has 16 and `shift` goes to the right.
 * per_channel: one multiplier and shift per output channel, not one for all. `bias` is always present. */
#define TINYC_SUM_FIELDS       \
    int32_t low, high;         \
    int32_t narrow;            \
    int32_t per_channel;       \
    const int8_t *weights;     \
    const int64_t *bias;       \
    const int32_t *multiplier; \
    const int8_t *shift;

/* As struct tinyc_conv_2d. */
struct tinyc_conv_2d_s16 {
    int32_t batches;
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t depth; /* CONV_2D: input channels of one filter; DEPTHWISE: filters per input channel */
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    TINYC_SUM_FIELDS
};

/* y[r][u] = clamp(scale(sum_d x[r][d] * weights[u][d] + bias[u])) */
struct tinyc_fully_connected_s16 {
    int32_t rows, depth, units;
    TINYC_SUM_FIELDS
};

/* A sum as TensorFlow Lite scales it, to 32 bits. */
TINYC_INLINE int32_t tinyc_scale_wide_sum(int64_t sum, int32_t multiplier, int32_t shift) {
    return (int32_t)(uint32_t)((sum * multiplier + ((int64_t)1 << (shift - 1))) >> shift);
}

TINYC_INLINE int32_t tinyc_scale_sum(int64_t sum, int32_t narrow, int32_t multiplier, int32_t shift) {
    return narrow ? tinyc_requantize((int32_t)(uint32_t)sum, multiplier, shift)
                  : tinyc_scale_wide_sum(sum, multiplier, shift);
}

#endif
