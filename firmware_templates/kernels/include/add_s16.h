#ifndef TINYC_ADD_S16_H
#define TINYC_ADD_S16_H

#include <stdint.h>

#include "add.h"

TINYC_INLINE void tinyc_add_elements_s16(const struct tinyc_add *layer, const int16_t *left,
                                         const int16_t *right, int16_t *output) {
    const int16_t *coarse = layer->coarse_is_right ? right : left;
    const int16_t *fine = layer->coarse_is_right ? left : right;
    for (int32_t i = 0; i < layer->extents[0]; i++) {
        for (int32_t j = 0; j < layer->extents[1]; j++) {
            for (int32_t k = 0; k < layer->extents[2]; k++) {
                int32_t a = i * layer->coarse_strides[0] + j * layer->coarse_strides[1] +
                            k * layer->coarse_strides[2];
                int32_t b = i * layer->fine_strides[0] + j * layer->fine_strides[1] +
                            k * layer->fine_strides[2];
                for (int32_t n = layer->extents[3]; n > 0; n--) {
                    /* Zero points are 0; each term is at most 2^29 in magnitude. */
                    const int32_t first = (coarse[a] + layer->coarse_offset) * layer->coarse_factor;
                    const int32_t second = tinyc_rounding_shift(
                        tinyc_scale((fine[b] + layer->fine_offset) * ((int32_t)1 << 15), layer->fine_multiplier),
                        layer->fine_shift);
                    const int32_t y = tinyc_rounding_shift(
                        tinyc_scale(first + second, layer->output_multiplier), layer->output_shift);
                    *output++ = (int16_t)tinyc_clamp(y + layer->output_offset, layer->low, layer->high);
                    a += layer->coarse_strides[3];
                    b += layer->fine_strides[3];
                }
            }
        }
    }
}

#endif
