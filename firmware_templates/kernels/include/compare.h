#ifndef TINYC_COMPARE_H
#define TINYC_COMPARE_H

#include <stdint.h>

#include "pairs.h"

/* int8 or int16 of any two scales, brought to steps of 2^-8. */
struct tinyc_compare {
    TINYC_PAIR_FIELDS
    int32_t left_offset, left_multiplier, left_shift;
    int32_t right_offset, right_multiplier, right_shift;
};

TINYC_INLINE int32_t tinyc_left_real(const struct tinyc_compare *layer, int32_t a) {
    return tinyc_requantize((a + layer->left_offset) * (1 << 8), layer->left_multiplier, layer->left_shift);
}

TINYC_INLINE int32_t tinyc_right_real(const struct tinyc_compare *layer, int32_t b) {
    return tinyc_requantize((b + layer->right_offset) * (1 << 8), layer->right_multiplier,
                            layer->right_shift);
}

TINYC_INLINE int32_t tinyc_equal_reals(const struct tinyc_compare *layer, int32_t a, int32_t b) {
    return tinyc_left_real(layer, a) == tinyc_right_real(layer, b);
}

TINYC_INLINE int32_t tinyc_not_equal_reals(const struct tinyc_compare *layer, int32_t a, int32_t b) {
    return tinyc_left_real(layer, a) != tinyc_right_real(layer, b);
}

TINYC_INLINE int32_t tinyc_greater_reals(const struct tinyc_compare *layer, int32_t a, int32_t b) {
    return tinyc_left_real(layer, a) > tinyc_right_real(layer, b);
}

TINYC_INLINE int32_t tinyc_greater_equal_reals(const struct tinyc_compare *layer, int32_t a, int32_t b) {
    return tinyc_left_real(layer, a) >= tinyc_right_real(layer, b);
}

TINYC_INLINE int32_t tinyc_less_reals(const struct tinyc_compare *layer, int32_t a, int32_t b) {
    return tinyc_left_real(layer, a) < tinyc_right_real(layer, b);
}

TINYC_INLINE int32_t tinyc_less_equal_reals(const struct tinyc_compare *layer, int32_t a, int32_t b) {
    return tinyc_left_real(layer, a) <= tinyc_right_real(layer, b);
}

#endif
