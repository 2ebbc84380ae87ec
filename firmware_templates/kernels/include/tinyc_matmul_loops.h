/* BATCH_MATMUL in plain loops. */
#ifndef TINYC_MATMUL_LOOPS_H
#define TINYC_MATMUL_LOOPS_H

#include "batch_matmul.h"

TINYC_INLINE void tinyc_matmul_matrix(const struct tinyc_batch_matmul *layer, const int8_t *first,
                                      const int8_t *second, int8_t *output) {
    const int32_t first_offset = layer->first_offset, second_offset = layer->second_offset;
    for (int32_t row = 0; row < layer->rows; row++) {
        for (int32_t column = 0; column < layer->columns; column++) {
            const int8_t *a = first + row * layer->row_stride;
            const int8_t *b = second + column * layer->column_stride;
            int32_t sum = 0;
            for (int32_t d = layer->depth; d > 0; d--) {
                sum += (*a + first_offset) * (*b + second_offset);
                a += layer->row_step;
                b += layer->column_step;
            }
            sum = tinyc_requantize(sum, layer->multiplier, layer->shift) + layer->output_offset;
            output[row * layer->output_row + column * layer->output_column] = (int8_t)tinyc_clamp(sum, -128, 127);
        }
    }
}

TINYC_INLINE void tinyc_matmul_loops(const struct tinyc_batch_matmul *layer, const int8_t *first,
                                     const int8_t *second, int8_t *output) {
    const int32_t *const extents = layer->extents, *const steps = layer->first_strides;
    const int32_t *const others = layer->second_strides;
    for (int32_t i = 0; i < extents[0]; i++) {
        for (int32_t j = 0; j < extents[1]; j++) {
            for (int32_t k = 0; k < extents[2]; k++) {
                for (int32_t n = 0; n < extents[3]; n++) {
                    tinyc_matmul_matrix(layer, first + i * steps[0] + j * steps[1] + k * steps[2] + n * steps[3],
                                        second + i * others[0] + j * others[1] + k * others[2] + n * others[3],
                                        output);
                    output += layer->rows * layer->columns;
                }
            }
        }
    }
}

#endif
