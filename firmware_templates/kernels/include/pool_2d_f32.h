#ifndef TINYC_POOL_2D_F32_H
#define TINYC_POOL_2D_F32_H

#include <stdint.h>

#include "pool_2d.h"
#include "tinyc_float.h"

struct tinyc_pool_2d_f32 {
    struct tinyc_pool_2d window; /* without its clamp */
    float low, high;
};

/* What an element of the window adds to the others, and what the output is: a sum over a count, ... */
TINYC_INLINE float tinyc_average_pool_next(float sum, float x) {
    return sum + x;
}

TINYC_INLINE float tinyc_average_pool_last(float sum, int32_t count) {
    return sum / (float)count;
}

/* ... or the first of the largest; a NaN is none. */
TINYC_INLINE float tinyc_max_pool_next(float largest, float x) {
    return largest < x ? x : largest;
}

TINYC_INLINE float tinyc_max_pool_last(float largest, int32_t count) {
    (void)count;
    return largest;
}

#endif
