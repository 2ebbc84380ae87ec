#ifndef TINYC_BATCH_MATMUL_H
#define TINYC_BATCH_MATMUL_H

#include <stdint.h>

#include "tinyc_fixed_point.h"

/* Matrices of `rows` by `depth` times matrices of `depth` by `columns`, over batch axes that broadcast: a
 * stride of 0 repeats a matrix. Element d of a row lies at row * row_stride + d * row_step, element d of a
 * column at column * column_stride + d * column_step, their product at row * output_row + column *
 * output_column of the output:
 * clamp(requantize(sum_d (first + first_offset) * (second + second_offset)) + output_offset).
 * Sums of int16 have 64 bits, and what scales them is as in sums_s16.h. */
struct tinyc_batch_matmul {
    int32_t extents[4], first_strides[4], second_strides[4];
    int32_t rows, columns, depth;
    int32_t row_stride, row_step;
    int32_t column_stride, column_step;
    int32_t output_row, output_column;
    int32_t first_offset, second_offset, output_offset;
    int32_t multiplier, shift;
    int32_t swapped;      /* 1: `first` is the layer's second activation, or the constant */
    const void *constant; /* one operand of the kernels for constants, else null */
};

#endif
