#ifndef TINYC_FULLY_CONNECTED_H
#define TINYC_FULLY_CONNECTED_H

#include <stdint.h>

/* y[r][u] = clamp(requantize(sum_d (x[r][d] + input_offset) * weights[u][d] + bias[u]) + output_offset) */
struct tinyc_fully_connected {
    int32_t rows, depth, units;
    int32_t input_offset, output_offset;
    int32_t low, high;
    int32_t per_channel; /* 1: one multiplier and shift per unit, 0: one for all */
    const int8_t *weights; /* one in a byte, or two where the name of the kernel has s4 */
    const int32_t *bias; /* always present */
    const int32_t *multiplier;
    const int8_t *shift;
};

#endif
