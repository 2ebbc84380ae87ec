#ifndef TINYC_EACH_F32_H
#define TINYC_EACH_F32_H

#include <stdint.h>

#include "tinyc_float.h"

/* Functions of single numbers. */
struct tinyc_each_f32 {
    int32_t count;
};

/* The sign of zeros, infinities and NaNs changes too. */
TINYC_INLINE float tinyc_neg_f32(float x) {
    return -x;
}

TINYC_INLINE float tinyc_abs_f32(float x) {
    return x < 0.0f ? -x : x + 0.0f;
}

TINYC_INLINE float tinyc_square_f32(float x) {
    return x * x;
}

/* Numbers of 2^23 and more have no fraction, and would overflow as integers. */
TINYC_INLINE float tinyc_floor_f32(float x) {
    if (!(x > -8388608.0f && x < 8388608.0f)) {
        return x;
    }
    const float cut = (float)(int32_t)x;
    /* x itself keeps the sign of a zero. */
    return cut == x ? x : cut > x ? cut - 1.0f : cut;
}

TINYC_INLINE float tinyc_ceil_f32(float x) {
    return -tinyc_floor_f32(-x);
}

/* Ties to the even neighbour; what rounds up to zero has no sign. */
TINYC_INLINE float tinyc_round_f32(float x) {
    const float below = tinyc_floor_f32(x), rest = x - below;
    return rest < 0.5f || (rest == 0.5f && ((int32_t)below & 1) == 0) ? below : below + 1.0f;
}

/* RELU and its kin. */
struct tinyc_clamped_f32 {
    int32_t count;
    float low, high;
};

TINYC_INLINE float tinyc_clamped_f32(const struct tinyc_clamped_f32 *layer, float x) {
    return tinyc_clamp_f32(x, layer->low, layer->high);
}

struct tinyc_leaky_relu_f32 {
    int32_t count;
    float alpha;
};

TINYC_INLINE float tinyc_leaky_relu_f32(const struct tinyc_leaky_relu_f32 *layer, float x) {
    return x > 0.0f ? x : x * layer->alpha;
}

#endif
