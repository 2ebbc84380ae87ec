#ifndef TINYC_CURVES_F32_H
#define TINYC_CURVES_F32_H

#include <stdint.h>

#include "each_f32.h"
#include "tinyc_float_math.h"

TINYC_INLINE float tinyc_rsqrt_f32(float x) {
    return 1.0f / tinyc_float_sqrt(x);
}

TINYC_INLINE float tinyc_elu_f32(float x) {
    return x < 0.0f ? tinyc_float_expm1(x) : x;
}

TINYC_INLINE float tinyc_hard_swish_f32(float x) {
    return x * tinyc_clamp_f32(x + 3.0f, 0.0f, 6.0f) / 6.0f;
}

TINYC_INLINE float tinyc_gelu_f32(float x) {
    return x * tinyc_float_normal(x);
}

/* By tanh(sqrt(2 / pi) (x + 0.044715 x^3)). */
TINYC_INLINE float tinyc_gelu_tanh_f32(float x) {
    const float inner = x + tinyc_float_product(0.044715f, x * x * x);
    return 0.5f * x * (1.0f + tinyc_float_tanh(0.797884583f * inner));
}

#endif
