#ifndef TINYC_ROWS_F32_H
#define TINYC_ROWS_F32_H

#include <stdint.h>

#include "tinyc_float.h"
#include "tinyc_float_math.h"

/* SOFTMAX, LOG_SOFTMAX and L2_NORMALIZATION of the last axis; beta is SOFTMAX's. */
struct tinyc_rows_f32 {
    int32_t rows, depth;
    float beta;
};

/* A NaN is not the largest, nor is an infinity below all numbers. */
TINYC_INLINE float tinyc_largest_f32(const float *row, int32_t depth) {
    float largest = -3.40282347e+38f;
    for (int32_t i = 0; i < depth; i++) {
        largest = largest < row[i] ? row[i] : largest;
    }
    return largest;
}

#endif
