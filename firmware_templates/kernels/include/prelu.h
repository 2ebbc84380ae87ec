#ifndef TINYC_PRELU_H
#define TINYC_PRELU_H

#include <stdint.h>

#include "pairs.h"

/* y = clamp(scale(x) + output_offset), below 0 of x * alpha */
struct tinyc_prelu {
    TINYC_PAIR_FIELDS
    int32_t left_offset, right_offset, output_offset;
    int32_t positive_multiplier, positive_shift;
    int32_t negative_multiplier, negative_shift;
    int32_t low, high;
};

TINYC_INLINE int32_t tinyc_prelu(const struct tinyc_prelu *layer, int32_t x, int32_t alpha) {
    const int32_t value = x + layer->left_offset;
    const int32_t y =
        value >= 0 ? tinyc_requantize(value, layer->positive_multiplier, layer->positive_shift)
                   : tinyc_requantize(value * (alpha + layer->right_offset), layer->negative_multiplier,
                                      layer->negative_shift);
    return tinyc_clamp(y + layer->output_offset, layer->low, layer->high);
}

#endif
