/* Layers of a transformer over one row: gains of norms and dense layers over int16. The C twin of GainLayer and
 * of linear layers in tinyc/learning/sparse/arithmetic.py. */
#include "learn_tables.h"
#include "sparse.h"
#include "tinyc_fixed_point.h"
#include "tinyc_roots.h"

/* Element `i` of an int16 row; a latent lies at any address. */
LEARN_INLINE int32_t wide_at(const int8_t *x, int32_t i) {
    int16_t value;
    memcpy(&value, x + 2 * i, sizeof value);
    return value;
}

LEARN_INLINE void put_wide(int8_t *x, int32_t i, int32_t y) {
    const int16_t value = (int16_t)y;
    memcpy(x + 2 * i, &value, sizeof value);
}

/* Stores y behind its clamp. */
LEARN_INLINE void store(const int32_t *s, int8_t *output, uint8_t *mask, uint32_t i, int32_t y) {
    const int32_t clamped = tinyc_clamp(y, s[SPARSE_LOW], s[SPARSE_HIGH]);
    if (s[SPARSE_WIDE_OUTPUT]) {
        put_wide(output, (int32_t)i, clamped);
    } else {
        output[i] = (int8_t)clamped;
    }
    if (mask != 0 && y == clamped) mask[i >> 3] = (uint8_t)(mask[i >> 3] | (1u << (i & 7u)));
}

/* Element `i` of a row. */
LEARN_INLINE int32_t element(const int32_t *s, const int8_t *x, int32_t i) {
    return s[SPARSE_WIDE] ? wide_at(x, i) : x[i];
}

/* round(x * multiplier / 2^32) */
LEARN_INLINE int32_t multiply_high(int32_t x, int32_t multiplier) {
    return (int32_t)(((int64_t)x * multiplier + INT64_C(0x80000000)) >> 32);
}

/* Element `i` of what a gain reads, less its zero point. */
LEARN_INLINE int32_t input_at(const int32_t *s, const int8_t *x, int32_t i) {
    return element(s, x, i) - learn_gain_zeros[s[SPARSE_CHANNELS] + i];
}

/* Where the gain of a channel is in the state, negative for one that stays 1. */
LEARN_INLINE int32_t place_of(const int32_t *s, int32_t i) {
    const int32_t at = learn_rows[s[SPARSE_ROWS] + i];
    return at < 0 ? at : s[SPARSE_TRAINED] + at;
}

/* The gain of channel `i` times its base. */
LEARN_INLINE int32_t gain_of(const struct learn_head *head, const int32_t *s, int32_t i) {
    const int32_t base = learn_gain_bases[s[SPARSE_CHANNELS] + i];
#if LEARN_SPARSE_GAINS
    const int32_t place = place_of(s, i);
    if (place >= 0) {
        const float t = head->gains[place] * (float)base;
        return tinyc_clamp((int32_t)(t + (t < 0.0f ? -0.5f : 0.5f)), -32768, 32767);
    }
#else
    (void)head;
#endif
    return base;
}

LEARN_INLINE int32_t gained(const int32_t *s, int32_t i, int32_t x, int32_t gain) {
    return (x * gain + learn_gain_offsets[s[SPARSE_CHANNELS] + i]) >> s[SPARSE_DROP];
}

void learn_sparse_gain(const struct learn_head *head, const int32_t *s, const int8_t *x, int8_t *output) {
    for (int32_t i = 0; i < s[SPARSE_IN_CHANNELS]; i++) {
        store(s, output, 0, (uint32_t)i, gained(s, i, input_at(s, x, i), gain_of(head, s, i)));
    }
}

int32_t learn_sparse_row_sum(const struct learn_head *head, const int32_t *s, const int8_t *x, uint32_t channel) {
    const int8_t *w = learn_sparse_row(head, s, channel);
    const int32_t count = s[SPARSE_IN_CHANNELS], drop = s[SPARSE_DROP];
    int32_t acc = 0;
    for (int32_t i = 0; i < count; i++) acc += wide_at(x, i) * w[i];
    if (drop) acc = (acc + (1 << (drop - 1))) >> drop;
    return acc + learn_sparse_bias(head, s, channel);
}

void learn_sparse_linear(const struct learn_head *head, const int32_t *s, const int8_t *x,
                         const int8_t *residual, int8_t *output, uint8_t *mask) {
    for (uint32_t channel = 0; channel < (uint32_t)s[SPARSE_OUT_CHANNELS]; channel++) {
        const int32_t acc = learn_sparse_row_sum(head, s, x, channel);
        const int32_t multiplier = learn_multipliers[(uint32_t)s[SPARSE_CHANNELS] + channel];
        int32_t y = multiply_high(acc, multiplier) + s[SPARSE_OUTPUT_ZERO];
        if (s[SPARSE_RIGHT_MULTIPLIER]) {
            const int32_t r = s[SPARSE_OTHER_WIDE] ? wide_at(residual, (int32_t)channel) : residual[channel];
            y += multiply_high((r - s[SPARSE_OTHER_ZERO]) * 65536, s[SPARSE_RIGHT_MULTIPLIER]);
        }
        store(s, output, mask, channel, y);
    }
}

/* A norm: kernels/portable/norm.c for one row without gains. */
void learn_sparse_norm(const int32_t *s, const int8_t *x, int8_t *output, uint8_t *mask) {
    const int32_t depth = s[SPARSE_IN_CHANNELS];
    uint64_t power = ((uint64_t)(uint32_t)s[SPARSE_RIGHT_EXPONENT] << 30) + (uint32_t)s[SPARSE_RIGHT_MULTIPLIER];
    int32_t sum = 0, mean = 0;
    if (s[SPARSE_MULTIPLIER]) {
        for (int32_t i = 0; i < depth; i++) sum += element(s, x, i);
        mean = multiply_high(sum, s[SPARSE_MULTIPLIER]);
    }
    for (int32_t i = 0; i < depth; i++) {
        const int32_t value = tinyc_clamp(element(s, x, i) - mean, -32768, 32767);
        power += (uint32_t)(value * value);
    }
    const struct tinyc_root found = tinyc_inverse_root(power);
    const uint32_t product = (uint32_t)(((uint64_t)found.root * (uint32_t)s[SPARSE_LEFT_MULTIPLIER]) >> 31);
    const int32_t drop = product >= 0x40000000u ? 16 : 15;
    const uint32_t rounded = (product + (1u << (drop - 1))) >> drop;
    const int32_t multiplier = rounded > 32767u ? 32767 : (int32_t)rounded;
    const int32_t shift = tinyc_clamp(s[SPARSE_LEFT_EXPONENT] + found.half - 1 - drop, 1, 31);
    const uint32_t half = 1u << (shift - 1);
    for (int32_t i = 0; i < depth; i++) {
        const int32_t value = tinyc_clamp(element(s, x, i) - mean, -32768, 32767);
        store(s, output, mask, (uint32_t)i, (int32_t)((uint32_t)(value * multiplier) + half) >> shift);
    }
}

float learn_sparse_linear_row(const int8_t *x, const uint8_t *mask, const float *gradient,
                              uint32_t channel, int32_t row, union sparse_word *work) {
    const uint32_t passed = sparse_passes(mask, channel);
    const float g = gradient[channel];
    for (int32_t i = 0; i < row; i++) work[i].real = (float)(passed ? wide_at(x, i) : 0) * g;
    return g * (passed ? 1.0f : 0.0f);
}

void learn_sparse_gain_back(struct learn_head *head, const int32_t *s, const int8_t *x, const float *gradient,
                            float *result) {
    for (int32_t i = 0; i < s[SPARSE_IN_CHANNELS]; i++) {
        const int32_t value = input_at(s, x, i), gain = gain_of(head, s, i);
        const int32_t y = gained(s, i, value, gain);
        const float g = y >= s[SPARSE_LOW] && y <= s[SPARSE_HIGH] ? gradient[i] : 0.0f;
        if (result != 0) {
            const float g_x = g * ((float)gain * learn_shares[s[SPARSE_LAYER]]);
            result[i] = s[SPARSE_ACCUMULATE] ? result[i] + g_x : g_x;
        }
#if LEARN_SPARSE_GAINS
        const int32_t place = place_of(s, i);
        if (place >= 0) {
            const float g_gain = g * (float)value;
            float t = g_gain * learn_gain_rates[s[SPARSE_CHANNELS] + i], *gains = head->gains;
            if (!(t > -SPARSE_LARGEST_GAIN_STEP)) t = -SPARSE_LARGEST_GAIN_STEP;
            if (t > SPARSE_LARGEST_GAIN_STEP) t = SPARSE_LARGEST_GAIN_STEP;
            gains[place] = gains[place] - t;
            if (gains[place] < -SPARSE_LARGEST_GAIN) gains[place] = -SPARSE_LARGEST_GAIN;
            if (gains[place] > SPARSE_LARGEST_GAIN) gains[place] = SPARSE_LARGEST_GAIN;
        }
#endif
    }
}

LEARN_INLINE float passed(const uint8_t *mask, const float *gradient, int32_t i) {
    return sparse_passes(mask, (uint32_t)i) ? gradient[i] : 0.0f;
}

/* Ba, Kiros and Hinton, "Layer Normalization" (2016): (g - mean(g) - z * mean(g * z)) / deviation. */
void learn_sparse_norm_back(const int32_t *s, const int8_t *x, const uint8_t *mask, const float *gradient,
                            float *result) {
    const int32_t depth = s[SPARSE_IN_CHANNELS];
    const float count = (float)depth;
    float mean = 0.0f, power = 0.0f, common = 0.0f, along = 0.0f;
    if (s[SPARSE_MULTIPLIER]) {
        int32_t sum = 0;
        for (int32_t i = 0; i < depth; i++) sum += element(s, x, i);
        mean = (float)sum / count;
    }
    for (int32_t i = 0; i < depth; i++) {
        const float centred = (float)element(s, x, i) - mean, square = centred * centred;
        power = power + square;
    }
    const int64_t epsilon = ((int64_t)s[SPARSE_RIGHT_EXPONENT] << 30) + s[SPARSE_RIGHT_MULTIPLIER];
    power = power + (float)epsilon;
    const float inverse = 1.0f / learn_sqrt(power / count), scale = inverse * learn_shares[s[SPARSE_LAYER]];
    for (int32_t i = 0; i < depth; i++) {
        const float g = passed(mask, gradient, i), z = ((float)element(s, x, i) - mean) * inverse, product = g * z;
        common = common + g;
        along = along + product;
    }
    common = s[SPARSE_MULTIPLIER] ? common / count : 0.0f;
    along = along / count;
    for (int32_t i = 0; i < depth; i++) {
        const float z = ((float)element(s, x, i) - mean) * inverse, part = z * along;
        const float rest = passed(mask, gradient, i) - common, g = (rest - part) * scale;
        result[i] = s[SPARSE_ACCUMULATE] ? result[i] + g : g;
    }
}

#if LEARN_SPARSE_CURVES
void learn_sparse_curve(const int32_t *s, const int8_t *x, int8_t *output) {
    for (int32_t i = 0; i < s[SPARSE_IN_CHANNELS]; i++) {
        const int32_t y = learn_curves[s[SPARSE_CHANNELS] + x[i] + 128];
        if (s[SPARSE_WIDE_OUTPUT]) {
            put_wide(output, i, y);
        } else {
            output[i] = (int8_t)y;
        }
    }
}

void learn_sparse_curve_back(const int32_t *s, const int8_t *x, const float *gradient, float *result) {
    for (int32_t i = 0; i < s[SPARSE_IN_CHANNELS]; i++) {
        const float g = gradient[i] * learn_curve_slopes[s[SPARSE_CHANNELS] + x[i] + 128];
        result[i] = s[SPARSE_ACCUMULATE] ? result[i] + g : g;
    }
}
#endif
