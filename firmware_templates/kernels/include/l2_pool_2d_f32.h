#ifndef TINYC_L2_POOL_2D_F32_H
#define TINYC_L2_POOL_2D_F32_H

#include "pool_2d_f32.h"
#include "tinyc_float_math.h"

/* The root of the mean of the squares. */
TINYC_INLINE float tinyc_l2_pool_next(float sum, float x) {
    return sum + tinyc_float_product(x, x);
}

TINYC_INLINE float tinyc_l2_pool_last(float sum, int32_t count) {
    return tinyc_float_sqrt(sum / (float)count);
}

#endif
