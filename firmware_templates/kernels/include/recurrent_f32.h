#ifndef TINYC_RECURRENT_F32_H
#define TINYC_RECURRENT_F32_H

#include <stdint.h>

#include "tinyc_float.h"
#include "tinyc_float_math.h"

struct tinyc_svdf_f32 {
    int32_t batches, inputs, units, rank, memory;
    float low, high;
    const float *features; /* [units][rank][inputs] */
    const float *times;    /* [units][rank][memory] */
    const float *bias;
};

/* The gates are input, forget, cell and output. */
struct tinyc_lstm_f32 {
    int32_t batches, steps, inputs, units;
    int32_t time_major;
    float clip;             /* of the cell, infinity: none */
    const float *weights;   /* [4][units][inputs] */
    const float *recurrent; /* [4][units][units] */
    const float *bias;      /* [4][units] */
};

/* left[0] right[0] + left[1] right[1] + ..., from 0. */
TINYC_INLINE float tinyc_product_sum_f32(const float *left, const float *right, int32_t count) {
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        sum += tinyc_float_product(left[i], right[i]);
    }
    return sum;
}

#endif
