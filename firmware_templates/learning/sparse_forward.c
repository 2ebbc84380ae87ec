/* The layers behind the tap: int8, the same bits as the kernels of the inference. */
#include "learn_tables.h"
#include "sparse.h"
#include "tinyc_fixed_point.h"

const int32_t *learn_sparse_step(uint32_t index) { return learn_steps + index * (uint32_t)SPARSE_FIELDS; }

const int8_t *learn_sparse_row(const struct learn_head *head, const int32_t *s, uint32_t channel) {
    const int32_t at = learn_rows[(uint32_t)s[SPARSE_ROWS] + channel];
    return at >= 0 ? head->weights + (s[SPARSE_TRAINED] + at * s[SPARSE_ROW])
                   : learn_frozen + (s[SPARSE_FROZEN] + (-1 - at) * s[SPARSE_ROW]);
}

int32_t learn_sparse_bias(const struct learn_head *head, const int32_t *s, uint32_t channel) {
    const int32_t trained = s[SPARSE_TRAINED_BIASES];
    return trained >= 0 ? head->biases[(uint32_t)trained + channel]
                        : learn_frozen_biases[(uint32_t)s[SPARSE_FROZEN_BIASES] + channel];
}

/* The sum of weight times input less its zero point over `count` channels of one tap. */
LEARN_INLINE int32_t dot(const int8_t *x, const int8_t *w, int32_t count, int32_t zero) {
    int32_t acc = 0;
    for (int32_t i = 0; i < count; i++) acc += (x[i] - zero) * w[i];
    return acc;
}

static int32_t accumulate(const int32_t *s, const int8_t *x, const int8_t *w, int32_t oy, int32_t ox) {
    const int32_t channels = s[SPARSE_IN_CHANNELS], zero = s[SPARSE_INPUT_ZERO];
    const struct sparse_taps taps = sparse_taps_of(s, oy, ox);
    int32_t acc = 0;
    x += taps.pixel * channels;
    for (int32_t ky = taps.top; ky < taps.bottom; ky++) {
        const int8_t *row = w + (ky * s[SPARSE_KERNEL_WIDTH] + taps.left) * channels;
        acc += dot(x, row, (taps.right - taps.left) * channels, zero);
        x += s[SPARSE_IN_WIDTH] * channels;
    }
    return acc;
}

/* The same for one channel of a depthwise layer. */
static int32_t accumulate_depthwise(const int32_t *s, const int8_t *x, const int8_t *w, int32_t oy, int32_t ox) {
    const int32_t channels = s[SPARSE_IN_CHANNELS], zero = s[SPARSE_INPUT_ZERO];
    const int32_t line = s[SPARSE_IN_WIDTH] * channels, width = s[SPARSE_KERNEL_WIDTH];
    const struct sparse_taps taps = sparse_taps_of(s, oy, ox);
    int32_t acc = 0;
    x += taps.pixel * channels;
    w += taps.top * width;
    for (int32_t ky = taps.top; ky < taps.bottom; ky++) {
        if (taps.right - taps.left == 3) {
            const int8_t *v = w + taps.left;
            acc += (x[0] - zero) * v[0] + (x[channels] - zero) * v[1] + (x[2 * channels] - zero) * v[2];
        } else {
            const int8_t *value = x;
            for (int32_t kx = taps.left; kx < taps.right; kx++) {
                acc += (*value - zero) * w[kx];
                value += channels;
            }
        }
        x += line;
        w += width;
    }
    return acc;
}

/* The output's zero point and its clamp: copies, as a store of a byte could change a step for all the compiler
 * knows. */
struct range {
    int32_t zero, low, high;
};

LEARN_INLINE struct range range_of(const int32_t *s) {
    const struct range range = {s[SPARSE_OUTPUT_ZERO], s[SPARSE_LOW], s[SPARSE_HIGH]};
    return range;
}

/* Clamps y, stores it and, where there is a mask, whether it passed. */
LEARN_INLINE void store(struct range range, int8_t *output, uint8_t *mask, uint32_t index, int32_t y) {
    const int32_t low = range.low, high = range.high;
    output[index] = (int8_t)tinyc_clamp(y, low, high);
    if (mask != 0 && y >= low && y <= high) {
        mask[index >> 3] = (uint8_t)(mask[index >> 3] | (1u << (index & 7u)));
    }
}

#if SPARSE_DSP
/* One output channel of a 1x1 convolution whose rows are whole words: the weights as pairs of int16 once, then
 * a word of the input makes two products of pairs. The zero point comes off the sum of the weights. */
static void pointwise_channel(const int32_t *s, const int8_t *x, const int8_t *w, int32_t bias, int32_t channel,
                              int8_t *output, uint8_t *mask, union sparse_word *work) {
    const int32_t words = s[SPARSE_IN_CHANNELS] / 4, pixels = s[SPARSE_OUT_HEIGHT] * s[SPARSE_OUT_WIDTH];
    const int32_t multiplier = learn_multipliers[s[SPARSE_CHANNELS] + channel];
    const int32_t shift = learn_shifts[s[SPARSE_CHANNELS] + channel];
    const struct range range = range_of(s);
    const uint32_t outputs = (uint32_t)s[SPARSE_OUT_CHANNELS];
    uint32_t index = (uint32_t)channel;
    int32_t sum = 0;
    for (int32_t i = 0; i < words; i++) {
        const uint32_t word = sparse_word_at(w + 4 * i);
        work[2 * i].pair = sparse_even(word);
        work[2 * i + 1].pair = sparse_odd(word);
        sum = learn_smlad(work[2 * i].pair, 0x00010001u, sum);
        sum = learn_smlad(work[2 * i + 1].pair, 0x00010001u, sum);
    }
    bias -= sum * s[SPARSE_INPUT_ZERO];
    for (int32_t pixel = 0; pixel < pixels; pixel++) {
        const union sparse_word *pair = work, *const end = work + 2 * words;
        int32_t acc = bias;
        while (pair < end) {
            const uint32_t word = sparse_word_at(x);
            acc = learn_smlad(sparse_even(word), pair[0].pair, acc);
            acc = learn_smlad(sparse_odd(word), pair[1].pair, acc);
            pair += 2;
            x += 4;
        }
        store(range, output, mask, index, tinyc_requantize(acc, multiplier, shift) + range.zero);
        index += outputs;
    }
}
#endif

static void weighted(const struct learn_head *head, const int32_t *s, const int8_t *x, int8_t *output,
                     uint8_t *mask, union sparse_word *work) {
    const int32_t outputs = s[SPARSE_OUT_CHANNELS], is_depthwise = s[SPARSE_KIND] == SPARSE_DEPTHWISE;
    const int32_t height = s[SPARSE_OUT_HEIGHT], width = s[SPARSE_OUT_WIDTH];
    const struct range range = range_of(s);
    for (int32_t channel = 0; channel < outputs; channel++) {
        const int8_t *w = learn_sparse_row(head, s, (uint32_t)channel);
        const int32_t bias = learn_sparse_bias(head, s, (uint32_t)channel);
        const int32_t multiplier = learn_multipliers[s[SPARSE_CHANNELS] + channel];
        const int32_t shift = learn_shifts[s[SPARSE_CHANNELS] + channel];
        uint32_t index = (uint32_t)channel;
#if SPARSE_DSP
        if (!is_depthwise && sparse_is_pointwise(s) && s[SPARSE_IN_CHANNELS] % 4 == 0) {
            pointwise_channel(s, x, w, bias, channel, output, mask, work);
            continue;
        }
#else
        (void)work;
#endif
        for (int32_t oy = 0; oy < height; oy++) {
            for (int32_t ox = 0; ox < width; ox++) {
                const int32_t acc =
                    is_depthwise ? accumulate_depthwise(s, x + channel, w, oy, ox) : accumulate(s, x, w, oy, ox);
                store(range, output, mask, index, tinyc_requantize(acc + bias, multiplier, shift) + range.zero);
                index += (uint32_t)outputs;
            }
        }
    }
}

static void pool(const int32_t *s, const int8_t *x, int8_t *output, uint8_t *mask) {
    const int32_t channels = s[SPARSE_IN_CHANNELS], pixels = s[SPARSE_IN_HEIGHT] * s[SPARSE_IN_WIDTH];
    for (int32_t channel = 0; channel < channels; channel++) {
        int32_t total = 0;
        for (int32_t pixel = 0; pixel < pixels; pixel++) total += x[pixel * channels + channel];
        if (s[SPARSE_KIND] == SPARSE_MEAN) {
            total -= s[SPARSE_INPUT_ZERO] * pixels;
            total = tinyc_requantize(total, s[SPARSE_MULTIPLIER], s[SPARSE_SHIFT]) + s[SPARSE_OUTPUT_ZERO];
        } else {
            total = (total >= 0 ? total + pixels / 2 : total - pixels / 2) / pixels;
        }
        store(range_of(s), output, mask, (uint32_t)channel, total);
    }
}

static void add(const int32_t *s, const int8_t *x, const int8_t *other, int8_t *output, uint8_t *mask) {
    const int32_t count = s[SPARSE_OUT_HEIGHT] * s[SPARSE_OUT_WIDTH] * s[SPARSE_OUT_CHANNELS];
    const int32_t unit = 1 << s[SPARSE_LEFT_SHIFT];
    for (int32_t i = 0; i < count; i++) {
        const int32_t a = tinyc_requantize((x[i] - s[SPARSE_INPUT_ZERO]) * unit, s[SPARSE_LEFT_MULTIPLIER],
                                           s[SPARSE_LEFT_EXPONENT]);
        const int32_t b = tinyc_requantize((other[i] - s[SPARSE_OTHER_ZERO]) * unit,
                                           s[SPARSE_RIGHT_MULTIPLIER], s[SPARSE_RIGHT_EXPONENT]);
        store(range_of(s), output, mask, (uint32_t)i,
              tinyc_requantize(a + b, s[SPARSE_MULTIPLIER], s[SPARSE_SHIFT]) + s[SPARSE_OUTPUT_ZERO]);
    }
}

/* The accumulators of the last layer in real units: no rounding to int8 comes between them and the loss. */
static void logits(const struct learn_head *head, const int32_t *s, const int8_t *x, float *output) {
    for (int32_t channel = 0; channel < s[SPARSE_OUT_CHANNELS]; channel++) {
        const int8_t *w = learn_sparse_row(head, s, (uint32_t)channel);
        int32_t acc;
#if LEARN_SPARSE_TOKENS
        if (s[SPARSE_WIDE]) {
            acc = learn_sparse_row_sum(head, s, x, (uint32_t)channel);
            output[channel] = (float)acc * learn_logit_scales[channel];
            continue;
        }
#endif
        acc = dot(x, w, s[SPARSE_IN_CHANNELS], s[SPARSE_INPUT_ZERO]);
        acc += learn_sparse_bias(head, s, (uint32_t)channel);
        output[channel] = (float)acc * learn_logit_scales[channel];
    }
}

void learn_sparse_forward(const struct learn_head *head, const int8_t *latent, float *arena,
                          union sparse_word *work, uint32_t learning) {
    for (uint32_t i = 0; i < LEARN_SPARSE_FORWARD; i++) {
        const int32_t *s = learn_sparse_step(i);
        const int8_t *x = sparse_value(arena, latent, s[SPARSE_INPUT]);
        int8_t *output = (int8_t *)(void *)arena + s[SPARSE_OUTPUT];
        uint8_t *mask = 0;
        if (learning && s[SPARSE_MASK] >= 0) {
            const int32_t bits = s[SPARSE_OUT_HEIGHT] * s[SPARSE_OUT_WIDTH] * s[SPARSE_OUT_CHANNELS];
            mask = (uint8_t *)(void *)arena + s[SPARSE_MASK];
            memset(mask, 0, ((uint32_t)bits + 7u) / 8u);
        }
        switch (s[SPARSE_KIND]) {
        case SPARSE_CONV:
        case SPARSE_DEPTHWISE: weighted(head, s, x, output, mask, work); break;
        case SPARSE_AVERAGE:
        case SPARSE_MEAN: pool(s, x, output, mask); break;
        case SPARSE_ADD: add(s, x, sparse_value(arena, latent, s[SPARSE_OTHER]), output, mask); break;
#if LEARN_SPARSE_TOKENS
        case SPARSE_GAIN: learn_sparse_gain(head, s, x, output); break;
        case SPARSE_NORM: learn_sparse_norm(s, x, output, mask); break;
#if LEARN_SPARSE_CURVES
        case SPARSE_CURVE: learn_sparse_curve(s, x, output); break;
#endif
        case SPARSE_LINEAR:
            learn_sparse_linear(head, s, x, sparse_value(arena, latent, s[SPARSE_OTHER]), output, mask);
            break;
#endif
        default: logits(head, s, x, arena + s[SPARSE_GRADIENT]); break;
        }
    }
}
