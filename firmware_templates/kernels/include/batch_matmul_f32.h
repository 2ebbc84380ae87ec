#ifndef TINYC_BATCH_MATMUL_F32_H
#define TINYC_BATCH_MATMUL_F32_H

#include <stdint.h>

#include "tinyc_float.h"

/* As struct tinyc_batch_matmul: y[row][column] = sum_d first * second. */
struct tinyc_batch_matmul_f32 {
    int32_t extents[4], first_strides[4], second_strides[4];
    int32_t rows, columns, depth;
    int32_t row_stride, row_step;
    int32_t column_stride, column_step;
    const float *first, *second; /* constants; null for an activation */
};

#endif
