/* Back-propagation into the last layers of an int8 network, as a list of steps that the compiler made.
 * The C twin of tinyc/learning/sparse: enums and order of sums are the same there.
 *
 * Source: Lin et al., "On-Device Training Under 256KB Memory" (2022). */
#ifndef SPARSE_H
#define SPARSE_H

#include <stdint.h>

#include "learn_config.h"
#include "learn_math.h"
#include "learn_state.h"

/* What a step does. */
enum sparse_kind {
    SPARSE_CONV,
    SPARSE_DEPTHWISE,
    SPARSE_AVERAGE,
    SPARSE_MEAN,
    SPARSE_ADD,
    SPARSE_LOGITS,
    SPARSE_LOSS,
    SPARSE_CONV_INPUT,
    SPARSE_CONV_UPDATE,
    SPARSE_DEPTHWISE_BACK,
    SPARSE_POOL_BACK,
    SPARSE_ADD_BACK,
    SPARSE_GAIN,
    SPARSE_LINEAR,
    SPARSE_GAIN_BACK,
    SPARSE_NORM,
    SPARSE_NORM_BACK,
    SPARSE_CURVE,
    SPARSE_CURVE_BACK
};

/* The numbers of a step. Places in the arena are bytes for values and bits, words for gradients; -1 is
 * none, and for a value the latent. A gradient step of 0 means that one vector stands for all pixels. */
enum sparse_field {
    SPARSE_KIND,
    SPARSE_LAYER,
    SPARSE_INPUT,
    SPARSE_OTHER,
    SPARSE_OUTPUT,
    SPARSE_MASK,
    SPARSE_GRADIENT,
    SPARSE_GRADIENT_STEP,
    SPARSE_RESULT,
    SPARSE_RESULT_STEP,
    SPARSE_ACCUMULATE,
    SPARSE_IN_HEIGHT,
    SPARSE_IN_WIDTH,
    SPARSE_IN_CHANNELS,
    SPARSE_OUT_HEIGHT,
    SPARSE_OUT_WIDTH,
    SPARSE_OUT_CHANNELS,
    SPARSE_KERNEL_HEIGHT,
    SPARSE_KERNEL_WIDTH,
    SPARSE_STRIDE_HEIGHT,
    SPARSE_STRIDE_WIDTH,
    SPARSE_TOP,
    SPARSE_LEFT,
    SPARSE_ROW,
    SPARSE_ROWS,
    SPARSE_FROZEN,
    SPARSE_FROZEN_BIASES,
    SPARSE_TRAINED,
    SPARSE_TRAINED_BIASES,
    SPARSE_CHANNELS,
    SPARSE_INPUT_ZERO,
    SPARSE_OTHER_ZERO,
    SPARSE_OUTPUT_ZERO,
    SPARSE_LOW,
    SPARSE_HIGH,
    SPARSE_MULTIPLIER,
    SPARSE_SHIFT,
    SPARSE_LEFT_SHIFT,
    SPARSE_LEFT_MULTIPLIER,
    SPARSE_LEFT_EXPONENT,
    SPARSE_RIGHT_MULTIPLIER,
    SPARSE_RIGHT_EXPONENT,
    SPARSE_WIDE,
    SPARSE_WIDE_OUTPUT,
    SPARSE_DROP,
    SPARSE_OTHER_WIDE,
    SPARSE_FIELDS
};

/* A word of the row that weight gradients are gathered in: first as integers, where one gradient is for all
 * pixels, then as the gradient. */
union sparse_word {
    float real;
    int32_t whole;
    uint32_t pair; /* two int16 */
};

/* Biases stay within +-2^28, so that no accumulator leaves int32. */
#define SPARSE_LARGEST_BIAS (1 << 28)

/* All forward steps; masks are written with `learning` only. `work` has LEARN_SPARSE_WORK_WORDS words. */
void learn_sparse_forward(const struct learn_head *head, const int8_t *latent, float *arena,
                          union sparse_word *work, uint32_t learning);

/* The loss of `label` and all that follows from it, with the steps of the trained tensors. */
void learn_sparse_backward(struct learn_head *head, const int8_t *latent, float *arena,
                           union sparse_word *work, uint32_t label);

/* One step of `count` weights and their residuals against `gradient`; `rate` gives 1/256 of a weight. */
void learn_sparse_step_weights(int8_t *weights, int8_t *residuals, const union sparse_word *gradient,
                               uint32_t count, float rate);

/* One step of a bias. */
void learn_sparse_step_bias(int32_t *bias, float gradient, float rate);

/* The numbers of a step. */
const int32_t *learn_sparse_step(uint32_t index);

/* The weights of an output channel: of the state where they learn, else of flash. */
const int8_t *learn_sparse_row(const struct learn_head *head, const int32_t *s, uint32_t channel);

/* The bias of an output channel. */
int32_t learn_sparse_bias(const struct learn_head *head, const int32_t *s, uint32_t channel);

#if LEARN_SPARSE_TOKENS
/* Gains stay within this, + and -, and take no larger step than the other. */
#define SPARSE_LARGEST_GAIN 3.875f
#define SPARSE_LARGEST_GAIN_STEP 0.25f

/* Layers over one row of int16, and the gains in front of them: forward. */
void learn_sparse_gain(const struct learn_head *head, const int32_t *s, const int8_t *x, int8_t *output);
void learn_sparse_linear(const struct learn_head *head, const int32_t *s, const int8_t *x,
                         const int8_t *residual, int8_t *output, uint8_t *mask);

void learn_sparse_norm(const int32_t *s, const int8_t *x, int8_t *output, uint8_t *mask);

void learn_sparse_curve(const int32_t *s, const int8_t *x, int8_t *output);

/* The accumulator of one output of such a layer. */
int32_t learn_sparse_row_sum(const struct learn_head *head, const int32_t *s, const int8_t *x, uint32_t channel);

/* Backward: the gradient of one row of weights as that of a convolution, and gains with their step. `result`
 * may be null. */
float learn_sparse_linear_row(const int8_t *x, const uint8_t *mask, const float *gradient,
                              uint32_t channel, int32_t row, union sparse_word *work);
void learn_sparse_gain_back(struct learn_head *head, const int32_t *s, const int8_t *x, const float *gradient,
                            float *result);
void learn_sparse_norm_back(const int32_t *s, const int8_t *x, const uint8_t *mask, const float *gradient,
                            float *result);
void learn_sparse_curve_back(const int32_t *s, const int8_t *x, const float *gradient, float *result);
#endif

/* An int8 value of the arena, or the latent. */
LEARN_INLINE const int8_t *sparse_value(const float *arena, const int8_t *latent, int32_t place) {
    return place < 0 ? latent : (const int8_t *)(const void *)arena + place;
}

/* The bits of a clamp, null for none. */
LEARN_INLINE const uint8_t *sparse_mask(const float *arena, const int32_t *s) {
    const int32_t place = s[SPARSE_MASK];
    return place < 0 ? (const uint8_t *)0 : (const uint8_t *)(const void *)arena + place;
}

/* Whether the clamp let element `index` pass. */
LEARN_INLINE uint32_t sparse_passes(const uint8_t *mask, uint32_t index) {
    return mask == 0 || (mask[index >> 3] >> (index & 7u) & 1u) != 0u;
}

/* The taps of an output pixel that lie on the input: rows [top, bottom), columns [left, right) of the kernel;
 * `pixel` is the input pixel under the first of them. */
struct sparse_taps {
    int32_t top, bottom, left, right;
    int32_t pixel;
};

LEARN_INLINE struct sparse_taps sparse_taps_of(const int32_t *s, int32_t y, int32_t x) {
    const int32_t row = y * s[SPARSE_STRIDE_HEIGHT] - s[SPARSE_TOP];
    const int32_t column = x * s[SPARSE_STRIDE_WIDTH] - s[SPARSE_LEFT];
    struct sparse_taps taps;
    taps.top = row < 0 ? -row : 0;
    taps.left = column < 0 ? -column : 0;
    taps.bottom = s[SPARSE_IN_HEIGHT] - row;
    taps.right = s[SPARSE_IN_WIDTH] - column;
    if (taps.bottom > s[SPARSE_KERNEL_HEIGHT]) taps.bottom = s[SPARSE_KERNEL_HEIGHT];
    if (taps.right > s[SPARSE_KERNEL_WIDTH]) taps.right = s[SPARSE_KERNEL_WIDTH];
    taps.pixel = 0;
    if (taps.top < taps.bottom && taps.left < taps.right) {
        taps.pixel = (row + taps.top) * s[SPARSE_IN_WIDTH] + column + taps.left;
    }
    return taps;
}

/* Whether each output pixel reads the one input pixel in its place: a 1x1 convolution or a dense layer. */
LEARN_INLINE uint32_t sparse_is_pointwise(const int32_t *s) {
    return s[SPARSE_KERNEL_HEIGHT] == 1 && s[SPARSE_KERNEL_WIDTH] == 1 && s[SPARSE_STRIDE_HEIGHT] == 1 &&
           s[SPARSE_STRIDE_WIDTH] == 1;
}

/* Four bytes as a word, from any address. */
LEARN_INLINE uint32_t sparse_word_at(const int8_t *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#define SPARSE_DSP 1

/* Bytes 0 and 2 of a word as two int16. */
LEARN_INLINE uint32_t sparse_even(uint32_t word) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}

/* Bytes 1 and 3. */
LEARN_INLINE uint32_t sparse_odd(uint32_t word) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* Bytes 0 and 2 of a word added to two int16. */
LEARN_INLINE uint32_t sparse_add_even(uint32_t pair, uint32_t word) {
    __asm__("sxtab16 %0, %0, %1" : "+r"(pair) : "r"(word));
    return pair;
}

LEARN_INLINE uint32_t sparse_add_odd(uint32_t pair, uint32_t word) {
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(pair) : "r"(word));
    return pair;
}
#else
#define SPARSE_DSP 0
#endif

#endif
