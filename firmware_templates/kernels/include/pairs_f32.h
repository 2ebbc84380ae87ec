#ifndef TINYC_PAIRS_F32_H
#define TINYC_PAIRS_F32_H

#include <stdint.h>

#include "pairs.h"
#include "tinyc_float.h"

TINYC_INLINE float tinyc_maximum_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    return a > b ? a : b;
}

TINYC_INLINE float tinyc_minimum_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    return a < b ? a : b;
}

TINYC_INLINE float tinyc_prelu_f32(const struct tinyc_pairs *layer, float x, float alpha) {
    (void)layer;
    return x >= 0.0f ? x : x * alpha;
}

TINYC_INLINE int32_t tinyc_equal_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    return a == b;
}

TINYC_INLINE int32_t tinyc_not_equal_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    return a != b;
}

TINYC_INLINE int32_t tinyc_greater_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    return a > b;
}

TINYC_INLINE int32_t tinyc_greater_equal_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    return a >= b;
}

TINYC_INLINE int32_t tinyc_less_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    return a < b;
}

TINYC_INLINE int32_t tinyc_less_equal_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    return a <= b;
}

/* The sum, difference, product or quotient, clamped. */
struct tinyc_pairs_f32 {
    TINYC_PAIR_FIELDS
    float low, high;
};

TINYC_INLINE float tinyc_add_f32(const struct tinyc_pairs_f32 *layer, float a, float b) {
    return tinyc_clamp_f32(a + b, layer->low, layer->high);
}

TINYC_INLINE float tinyc_sub_f32(const struct tinyc_pairs_f32 *layer, float a, float b) {
    return tinyc_clamp_f32(a - b, layer->low, layer->high);
}

TINYC_INLINE float tinyc_mul_f32(const struct tinyc_pairs_f32 *layer, float a, float b) {
    return tinyc_clamp_f32(a * b, layer->low, layer->high);
}

TINYC_INLINE float tinyc_div_f32(const struct tinyc_pairs_f32 *layer, float a, float b) {
    return tinyc_clamp_f32(a / b, layer->low, layer->high);
}

TINYC_INLINE float tinyc_squared_difference_f32(const struct tinyc_pairs_f32 *layer, float a, float b) {
    const float difference = a - b;
    return tinyc_clamp_f32(difference * difference, layer->low, layer->high);
}

#endif
