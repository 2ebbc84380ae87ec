/* Steps of int8 weights and int32 biases. A weight and its residual are one number in 1/256 of a weight:
 * steps far smaller than a weight's unit add up there instead of being rounded away. */
#include "sparse.h"

/* gradient * rate, limited to +-`largest` (NaN gives -largest), rounded to the nearest integer. */
LEARN_INLINE int32_t step_of(float gradient, float rate, float largest) {
    float t = gradient * rate;
    if (!(t > -largest)) t = -largest;
    if (t > largest) t = largest;
    return (int32_t)(t + (t < 0.0f ? -0.5f : 0.5f));
}

void learn_sparse_step_weights(int8_t *weights, int8_t *residuals, const union sparse_word *gradient,
                               uint32_t count, float rate) {
    for (uint32_t i = 0; i < count; i++) {
        int32_t whole = weights[i] * 256 + residuals[i] - step_of(gradient[i].real, rate, 32512.0f);
        if (whole < -32512) whole = -32512;
        if (whole > 32512) whole = 32512;
        const int32_t rounded = (whole + 32768 + 128) / 256 - 128;
        weights[i] = (int8_t)rounded;
        residuals[i] = (int8_t)(whole - rounded * 256);
    }
}

void learn_sparse_step_bias(int32_t *bias, float gradient, float rate) {
    int32_t value = *bias - step_of(gradient, rate, (float)SPARSE_LARGEST_BIAS);
    if (value < -SPARSE_LARGEST_BIAS) value = -SPARSE_LARGEST_BIAS;
    if (value > SPARSE_LARGEST_BIAS) value = SPARSE_LARGEST_BIAS;
    *bias = value;
}
