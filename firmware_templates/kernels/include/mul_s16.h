#ifndef TINYC_MUL_S16_H
#define TINYC_MUL_S16_H

#include <stdint.h>

#include "mul.h"

TINYC_INLINE void tinyc_mul_elements_s16(const struct tinyc_mul *layer, const int16_t *left,
                                         const int16_t *right, int16_t *output) {
    for (int32_t i = 0; i < layer->extents[0]; i++) {
        for (int32_t j = 0; j < layer->extents[1]; j++) {
            for (int32_t k = 0; k < layer->extents[2]; k++) {
                int32_t a = i * layer->left_strides[0] + j * layer->left_strides[1] +
                            k * layer->left_strides[2];
                int32_t b = i * layer->right_strides[0] + j * layer->right_strides[1] +
                            k * layer->right_strides[2];
                for (int32_t n = layer->extents[3]; n > 0; n--) {
                    /* Zero points are 0, so a product is at most 2^30 in magnitude. */
                    const int32_t product = (left[a] + layer->left_offset) * (right[b] + layer->right_offset);
                    const int32_t y = tinyc_requantize(product, layer->multiplier, layer->shift);
                    *output++ = (int16_t)tinyc_clamp(y + layer->output_offset, layer->low, layer->high);
                    a += layer->left_strides[3];
                    b += layer->right_strides[3];
                }
            }
        }
    }
}

#endif
