#ifndef TINYC_ADD_H
#define TINYC_ADD_H

#include <stdint.h>

#include "small_shift.h"

/* y = clamp(scale(coarse + scale(fine)) + output_offset) over operands that broadcast: a stride of 0
   repeats an operand along an axis. The coarse operand has the larger scale, which makes its factor
   a power of two. SUB is this with a negative factor or multiplier. Shifts go to the right. */
struct tinyc_add {
    int32_t extents[4];
    int32_t coarse_strides[4]; /* the last one is 0 or 1 */
    int32_t fine_strides[4];   /* the last one is 0 or 1 */
    int32_t coarse_is_right;   /* 1: the right operand is the coarse one */
    int32_t coarse_offset, coarse_factor;
    int32_t fine_offset, fine_multiplier, fine_shift;
    int32_t output_offset, output_multiplier, output_shift;
    int32_t low, high;
    const void *constant; /* the right operand of the kernel for constants, else null */
};

TINYC_INLINE void tinyc_add_elements(const struct tinyc_add *layer, const int8_t *left,
                                     const int8_t *right, int8_t *output) {
    const int8_t *coarse = layer->coarse_is_right ? right : left;
    const int8_t *fine = layer->coarse_is_right ? left : right;
    const int32_t coarse_step = layer->coarse_strides[3];
    const int32_t fine_step = layer->fine_strides[3];
    const int32_t coarse_offset = layer->coarse_offset, coarse_factor = layer->coarse_factor;
    const int32_t fine_offset = layer->fine_offset, fine_multiplier = layer->fine_multiplier;
    const struct tinyc_small_shift fine_shift = tinyc_make_small_shift(layer->fine_shift);
    const struct tinyc_small_shift output_shift = tinyc_make_small_shift(layer->output_shift);
    for (int32_t i = 0; i < layer->extents[0]; i++) {
        for (int32_t j = 0; j < layer->extents[1]; j++) {
            for (int32_t k = 0; k < layer->extents[2]; k++) {
                int32_t a = i * layer->coarse_strides[0] + j * layer->coarse_strides[1] +
                            k * layer->coarse_strides[2];
                int32_t b = i * layer->fine_strides[0] + j * layer->fine_strides[1] +
                            k * layer->fine_strides[2];
                for (int32_t n = layer->extents[3]; n > 0; n--) {
                    /* Each term is at most 255 * 2^19 in magnitude. */
                    const int32_t first = (coarse[a] + coarse_offset) * coarse_factor;
                    const int32_t second = tinyc_apply_small_shift(
                        tinyc_scale((fine[b] + fine_offset) * ((int32_t)1 << 20), fine_multiplier), fine_shift);
                    const int32_t y = tinyc_apply_small_shift(
                        tinyc_scale(first + second, layer->output_multiplier), output_shift);
                    *output++ = (int8_t)tinyc_clamp(y + layer->output_offset, layer->low, layer->high);
                    a += coarse_step;
                    b += fine_step;
                }
            }
        }
    }
}

#endif
