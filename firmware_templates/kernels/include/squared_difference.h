#ifndef TINYC_SQUARED_DIFFERENCE_H
#define TINYC_SQUARED_DIFFERENCE_H

#include <stdint.h>

#include "pairs.h"

/* y = clamp(scale((scale(left) - scale(right))^2) + output_offset) */
struct tinyc_squared_difference {
    TINYC_PAIR_FIELDS
    int32_t factor; /* of both inputs: room for fractions */
    int32_t left_offset, left_multiplier, left_shift;
    int32_t right_offset, right_multiplier, right_shift;
    int32_t output_offset, output_multiplier, output_shift;
    int32_t low, high;
};

TINYC_INLINE int32_t tinyc_squared_difference(const struct tinyc_squared_difference *layer, int32_t a,
                                              int32_t b) {
    /* Each term is at most 2^14 in magnitude, so the square is at most 2^30. */
    const int32_t left = tinyc_requantize((a + layer->left_offset) * layer->factor, layer->left_multiplier,
                                          layer->left_shift);
    const int32_t right = tinyc_requantize((b + layer->right_offset) * layer->factor, layer->right_multiplier,
                                           layer->right_shift);
    const int32_t square = (left - right) * (left - right);
    const int32_t y = tinyc_requantize(square, layer->output_multiplier, layer->output_shift);
    return tinyc_clamp(y + layer->output_offset, layer->low, layer->high);
}

#endif
