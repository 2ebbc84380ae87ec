#ifndef TINYC_REDUCE_F32_H
#define TINYC_REDUCE_F32_H

#include <stdint.h>

#include "reduce.h"
#include "tinyc_float.h"

/* As struct tinyc_reduce. */
struct tinyc_reduce_sum_f32 {
    int32_t outputs, inputs;
    int32_t kept[4], kept_strides[4];
    int32_t reduced[4], reduced_strides[4];
    float zero;    /* of the sign that a sum of zeros begins with */
    float divisor; /* 1, of a mean the number of the inputs */
};

TINYC_INLINE float tinyc_reduce_max_next(float largest, float x) {
    return x > largest ? x : largest;
}

TINYC_INLINE float tinyc_reduce_min_next(float smallest, float x) {
    return x < smallest ? x : smallest;
}

TINYC_INLINE float tinyc_reduce_sum_next(float sum, float x) {
    return sum + x;
}

#endif
