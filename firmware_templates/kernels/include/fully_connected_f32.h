#ifndef TINYC_FULLY_CONNECTED_F32_H
#define TINYC_FULLY_CONNECTED_F32_H

#include <stdint.h>

#include "tinyc_float.h"

/* y[r][u] = clamp(sum_d x[r][d] * weights[u][d] + bias[u]); `bias` is always present. */
struct tinyc_fully_connected_f32 {
    int32_t rows, depth, units;
    float low, high;
    const float *weights;
    const float *bias;
};

#endif
