#ifndef TINYC_MUL_H
#define TINYC_MUL_H

#include <stdint.h>

#include "small_shift.h"

/* y = clamp(scale((left + left_offset) * (right + right_offset)) + output_offset) over operands
   that broadcast: a stride of 0 repeats an operand along an axis. */
struct tinyc_mul {
    int32_t extents[4];
    int32_t left_strides[4];  /* the last one is 0 or 1 */
    int32_t right_strides[4]; /* the last one is 0 or 1 */
    int32_t left_offset, right_offset, output_offset;
    int32_t multiplier, shift;
    int32_t low, high;
    const void *constant; /* the right operand of the kernel for constants, else null */
};

TINYC_INLINE void tinyc_mul_elements(const struct tinyc_mul *layer, const int8_t *left,
                                     const int8_t *right, int8_t *output) {
    const int32_t left_step = layer->left_strides[3];
    const int32_t right_step = layer->right_strides[3];
    const int32_t left_offset = layer->left_offset, right_offset = layer->right_offset;
    const int32_t multiplier = layer->multiplier;
    /* A product has 17 bits, and one that is shifted left is not shifted right afterwards. */
    const int32_t raise = layer->shift > 0 ? layer->shift : 0;
    const struct tinyc_small_shift lower = tinyc_make_small_shift(layer->shift > 0 ? 0 : -layer->shift);
    for (int32_t i = 0; i < layer->extents[0]; i++) {
        for (int32_t j = 0; j < layer->extents[1]; j++) {
            for (int32_t k = 0; k < layer->extents[2]; k++) {
                int32_t a = i * layer->left_strides[0] + j * layer->left_strides[1] +
                            k * layer->left_strides[2];
                int32_t b = i * layer->right_strides[0] + j * layer->right_strides[1] +
                            k * layer->right_strides[2];
                for (int32_t n = layer->extents[3]; n > 0; n--) {
                    const int32_t product = (left[a] + left_offset) * (right[b] + right_offset);
                    const int32_t raised = (int32_t)((uint32_t)product << raise);
                    const int32_t y = tinyc_apply_small_shift(tinyc_scale(raised, multiplier), lower);
                    *output++ = (int8_t)tinyc_clamp(y + layer->output_offset, layer->low, layer->high);
                    a += left_step;
                    b += right_step;
                }
            }
        }
    }
}

#endif
