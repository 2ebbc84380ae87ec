/* The backward pass. Sums run over output pixels row by row, at each over output channels, at each over taps;
 * what a clamp cut off is skipped: it would add a zero. */
#include "learn_tables.h"
#include "sparse.h"

/* Softmax less the label, over the classes with samples; in place of the logits. */
static void loss(const struct learn_head *head, float *logits, uint32_t label) {
    float largest = logits[label], total = 0.0f;
    for (uint32_t i = 0; i < LEARN_CAPACITY; i++) {
        if (head->counts[i] != 0u && logits[i] > largest) largest = logits[i];
    }
    for (uint32_t i = 0; i < LEARN_CAPACITY; i++) {
        logits[i] = head->counts[i] != 0u ? learn_exp(logits[i] - largest) : 0.0f;
        total = total + logits[i];
    }
    for (uint32_t i = 0; i < LEARN_CAPACITY; i++) logits[i] = logits[i] / total;
    logits[label] = logits[label] - 1.0f;
}

/* target[i] += factor * source[i], each product and each sum rounded. */
LEARN_INLINE void add_scaled(float *target, float factor, const union sparse_word *source, int32_t count) {
    const union sparse_word *const end = source + count;
    while (end - source >= 4) {
        const float a = factor * source[0].real, b = factor * source[1].real;
        const float c = factor * source[2].real, d = factor * source[3].real;
        target[0] = target[0] + a;
        target[1] = target[1] + b;
        target[2] = target[2] + c;
        target[3] = target[3] + d;
        source += 4;
        target += 4;
    }
    while (source < end) {
        const float product = factor * source->real;
        *target = *target + product;
        source++;
        target++;
    }
}

/* A 1x1 convolution: channel by channel, which leaves the order at each pixel as it is. */
static void pointwise_input(const struct learn_head *head, const int32_t *s, const uint8_t *mask,
                            const float *gradient, float *result, union sparse_word *work) {
    const int32_t inputs = s[SPARSE_IN_CHANNELS], outputs = s[SPARSE_OUT_CHANNELS];
    const int32_t pixels = s[SPARSE_OUT_HEIGHT] * s[SPARSE_OUT_WIDTH];
    for (int32_t channel = 0; channel < outputs; channel++) {
        const int8_t *w = learn_sparse_row(head, s, (uint32_t)channel);
        const float scale = learn_scales[s[SPARSE_CHANNELS] + channel];
        const float *source = gradient + channel;
        float *target = result;
        uint32_t index = (uint32_t)channel;
        for (int32_t i = 0; i < inputs; i++) work[i].real = (float)w[i];
        for (int32_t pixel = 0; pixel < pixels; pixel++) {
            if (sparse_passes(mask, index)) add_scaled(target, *source * scale, work, inputs);
            index += (uint32_t)outputs;
            source += s[SPARSE_GRADIENT_STEP];
            target += inputs;
        }
    }
}

static void conv_input(const struct learn_head *head, const int32_t *s, const uint8_t *mask,
                       const float *gradient, float *result, union sparse_word *work) {
    const int32_t inputs = s[SPARSE_IN_CHANNELS], outputs = s[SPARSE_OUT_CHANNELS];
    const float *scales = learn_scales + s[SPARSE_CHANNELS];
    uint32_t index = 0;
    if (!s[SPARSE_ACCUMULATE]) {
        const int32_t count = s[SPARSE_IN_HEIGHT] * s[SPARSE_IN_WIDTH] * inputs;
        for (int32_t i = 0; i < count; i++) result[i] = 0.0f;
    }
    if (sparse_is_pointwise(s)) {
        pointwise_input(head, s, mask, gradient, result, work);
        return;
    }
    for (int32_t oy = 0; oy < s[SPARSE_OUT_HEIGHT]; oy++) {
        for (int32_t ox = 0; ox < s[SPARSE_OUT_WIDTH]; ox++) {
            const struct sparse_taps taps = sparse_taps_of(s, oy, ox);
            const int32_t count = (taps.right - taps.left) * inputs;
            for (int32_t channel = 0; channel < outputs; channel++) {
                if (!sparse_passes(mask, index++)) continue;
                const float g = gradient[channel] * scales[channel];
                const int8_t *w = learn_sparse_row(head, s, (uint32_t)channel);
                for (int32_t ky = taps.top; ky < taps.bottom; ky++) {
                    const int8_t *row = w + (ky * s[SPARSE_KERNEL_WIDTH] + taps.left) * inputs;
                    float *target = result + (taps.pixel + (ky - taps.top) * s[SPARSE_IN_WIDTH]) * inputs;
                    for (int32_t i = 0; i < count; i++) {
                        const float product = g * (float)row[i];
                        target[i] = target[i] + product;
                    }
                }
            }
            gradient += s[SPARSE_GRADIENT_STEP];
        }
    }
}

/* Adds the input of one output pixel, less its zero point, to integer sums. */
static void add_inputs(const int32_t *s, const int8_t *x, int32_t oy, int32_t ox, union sparse_word *sums) {
    const int32_t inputs = s[SPARSE_IN_CHANNELS], zero = s[SPARSE_INPUT_ZERO];
    const struct sparse_taps taps = sparse_taps_of(s, oy, ox);
    const int32_t count = (taps.right - taps.left) * inputs;
    x += taps.pixel * inputs;
    for (int32_t ky = taps.top; ky < taps.bottom; ky++) {
        union sparse_word *row = sums + (ky * s[SPARSE_KERNEL_WIDTH] + taps.left) * inputs;
        for (int32_t i = 0; i < count; i++) row[i].whole += x[i] - zero;
        x += s[SPARSE_IN_WIDTH] * inputs;
    }
}

/* The same times a gradient, to float sums. */
static void add_products(const int32_t *s, const int8_t *x, int32_t oy, int32_t ox, float g,
                         union sparse_word *sums) {
    const int32_t inputs = s[SPARSE_IN_CHANNELS], zero = s[SPARSE_INPUT_ZERO];
    const struct sparse_taps taps = sparse_taps_of(s, oy, ox);
    const int32_t count = (taps.right - taps.left) * inputs;
    x += taps.pixel * inputs;
    for (int32_t ky = taps.top; ky < taps.bottom; ky++) {
        union sparse_word *row = sums + (ky * s[SPARSE_KERNEL_WIDTH] + taps.left) * inputs;
        for (int32_t i = 0; i < count; i++) {
            const float product = g * (float)(x[i] - zero);
            row[i].real = row[i].real + product;
        }
        x += s[SPARSE_IN_WIDTH] * inputs;
    }
}

#if SPARSE_DSP
/* Sums of int8 in pairs of int16 hold for so many pixels. */
#define MOST_PAIRED 255

/* The integer sums of a 1x1 convolution whose rows are whole words, and how many pixels passed. */
static int32_t paired_sums(const int32_t *s, const int8_t *x, const uint8_t *mask, uint32_t index,
                           union sparse_word *work) {
    const int32_t inputs = s[SPARSE_IN_CHANNELS], pixels = s[SPARSE_OUT_HEIGHT] * s[SPARSE_OUT_WIDTH];
    int32_t count = 0;
    for (int32_t i = 0; i < inputs / 2; i++) work[i].pair = 0u;
    for (int32_t pixel = 0; pixel < pixels; pixel++) {
        if (sparse_passes(mask, index)) {
            const int8_t *const end = x + inputs;
            union sparse_word *sum = work;
            for (const int8_t *at = x; at < end; at += 4) {
                const uint32_t word = sparse_word_at(at);
                sum[0].pair = sparse_add_even(sum[0].pair, word);
                sum[1].pair = sparse_add_odd(sum[1].pair, word);
                sum += 2;
            }
            count++;
        }
        index += (uint32_t)s[SPARSE_OUT_CHANNELS];
        x += inputs;
    }
    /* Pairs become words from the end: a group of four reads the words before those it writes. */
    for (int32_t i = inputs / 4 - 1; i >= 0; i--) {
        const uint32_t even = work[2 * i].pair, odd = work[2 * i + 1].pair;
        const int32_t zero = s[SPARSE_INPUT_ZERO] * count;
        work[4 * i].whole = (int16_t)(even & 0xffffu) - zero;
        work[4 * i + 1].whole = (int16_t)(odd & 0xffffu) - zero;
        work[4 * i + 2].whole = (int16_t)(even >> 16) - zero;
        work[4 * i + 3].whole = (int16_t)(odd >> 16) - zero;
    }
    return count;
}
#endif

/* The gradient of one row of weights, over the scale of the input, into work[row]; returns that of the bias.
 * `row` is 0 where the row is frozen. */
static float conv_row(const int32_t *s, const int8_t *x, const uint8_t *mask, const float *gradient,
                      uint32_t channel, int32_t row, union sparse_word *work) {
    const uint32_t outputs = (uint32_t)s[SPARSE_OUT_CHANNELS];
    const int32_t step = s[SPARSE_GRADIENT_STEP];
    uint32_t index = channel;
    int32_t count = 0;
    float bias = 0.0f;
#if LEARN_SPARSE_TOKENS
    if (s[SPARSE_WIDE]) return learn_sparse_linear_row(x, mask, gradient, channel, row, work);
#endif
#if SPARSE_DSP
    if (!step && row && row % 4 == 0 && sparse_is_pointwise(s) &&
        s[SPARSE_OUT_HEIGHT] * s[SPARSE_OUT_WIDTH] <= MOST_PAIRED) {
        count = paired_sums(s, x, mask, index, work);
        for (int32_t i = 0; i < row; i++) work[i].real = (float)work[i].whole * gradient[channel];
        return gradient[channel] * (float)count;
    }
#endif
    for (int32_t i = 0; i < row; i++) {
        if (step) {
            work[i].real = 0.0f;
        } else {
            work[i].whole = 0;
        }
    }
    gradient += channel;
    for (int32_t oy = 0; oy < s[SPARSE_OUT_HEIGHT]; oy++) {
        for (int32_t ox = 0; ox < s[SPARSE_OUT_WIDTH]; ox++) {
            if (sparse_passes(mask, index)) {
                if (step) {
                    if (row) add_products(s, x, oy, ox, *gradient, work);
                    bias = bias + *gradient;
                } else {
                    if (row) add_inputs(s, x, oy, ox, work);
                    count++;
                }
            }
            index += outputs;
            gradient += step;
        }
    }
    if (!step) {
        for (int32_t i = 0; i < row; i++) work[i].real = (float)work[i].whole * *gradient;
        bias = *gradient * (float)count;
    }
    return bias;
}

static void learn_channel(struct learn_head *head, const int32_t *s, uint32_t channel,
                          const union sparse_word *row, float bias) {
    const uint32_t at = (uint32_t)s[SPARSE_CHANNELS] + channel;
    const int32_t trained = learn_rows[(uint32_t)s[SPARSE_ROWS] + channel];
    if (trained >= 0) {
        const uint32_t start = (uint32_t)(s[SPARSE_TRAINED] + trained * s[SPARSE_ROW]);
        learn_sparse_step_weights(head->weights + start, head->residuals + start, row, (uint32_t)s[SPARSE_ROW],
                                  learn_weight_rates[at]);
    }
    if (s[SPARSE_TRAINED_BIASES] >= 0) {
        learn_sparse_step_bias(&head->biases[(uint32_t)s[SPARSE_TRAINED_BIASES] + channel], bias,
                               learn_bias_rates[at]);
    }
}

static void conv_update(struct learn_head *head, const int32_t *s, const int8_t *x, const uint8_t *mask,
                        const float *gradient, union sparse_word *work) {
    for (uint32_t channel = 0; channel < (uint32_t)s[SPARSE_OUT_CHANNELS]; channel++) {
        const int32_t row = learn_rows[(uint32_t)s[SPARSE_ROWS] + channel] >= 0 ? s[SPARSE_ROW] : 0;
        const float bias = conv_row(s, x, mask, gradient, channel, row, work);
        learn_channel(head, s, channel, work, bias);
    }
}

/* One channel of a depthwise layer: the gradient of its taps into work[taps], of its bias as the result, and
 * of its input plane, if wanted, into plane[pixels]. `x` is null where the taps are frozen. */
static float depthwise_channel(const int32_t *s, const int8_t *x, const uint8_t *mask, const float *gradient,
                               uint32_t channel, union sparse_word *work, union sparse_word *plane,
                               const int8_t *w) {
    const int32_t inputs = s[SPARSE_IN_CHANNELS], step = s[SPARSE_GRADIENT_STEP];
    const int32_t line = s[SPARSE_IN_WIDTH], width = s[SPARSE_KERNEL_WIDTH], zero = s[SPARSE_INPUT_ZERO];
    const float scale = learn_scales[(uint32_t)s[SPARSE_CHANNELS] + channel];
    uint32_t index = channel;
    int32_t count = 0;
    float bias = 0.0f;
    gradient += channel;
    for (int32_t oy = 0; oy < s[SPARSE_OUT_HEIGHT]; oy++) {
        for (int32_t ox = 0; ox < s[SPARSE_OUT_WIDTH]; ox++) {
            if (sparse_passes(mask, index)) {
                const struct sparse_taps taps = sparse_taps_of(s, oy, ox);
                const float g = *gradient, scaled = g * scale;
                bias = bias + g;
                count++;
                for (int32_t ky = taps.top; ky < taps.bottom; ky++) {
                    const int32_t first = ky * width, at = taps.pixel + (ky - taps.top) * line - taps.left;
                    for (int32_t kx = taps.left; x != 0 && step && kx < taps.right; kx++) {
                        const int32_t value = x[(at + kx) * inputs + (int32_t)channel] - zero;
                        const float product = g * (float)value;
                        work[first + kx].real = work[first + kx].real + product;
                    }
                    for (int32_t kx = taps.left; x != 0 && !step && kx < taps.right; kx++) {
                        work[first + kx].whole += x[(at + kx) * inputs + (int32_t)channel] - zero;
                    }
                    for (int32_t kx = taps.left; plane != 0 && kx < taps.right; kx++) {
                        const float product = scaled * (float)w[first + kx];
                        plane[at + kx].real = plane[at + kx].real + product;
                    }
                }
            }
            index += (uint32_t)s[SPARSE_OUT_CHANNELS];
            gradient += step;
        }
    }
    gradient -= s[SPARSE_OUT_HEIGHT] * s[SPARSE_OUT_WIDTH] * step;
    if (!step) {
        for (int32_t i = 0; x != 0 && i < s[SPARSE_ROW]; i++) {
            work[i].real = (float)work[i].whole * *gradient;
        }
        bias = *gradient * (float)count;
    }
    return bias;
}

static void depthwise_back(struct learn_head *head, const int32_t *s, const int8_t *x, const uint8_t *mask,
                           const float *gradient, float *result, union sparse_word *work) {
    const uint32_t channels = (uint32_t)s[SPARSE_IN_CHANNELS];
    const uint32_t pixels = (uint32_t)(s[SPARSE_IN_HEIGHT] * s[SPARSE_IN_WIDTH]);
    union sparse_word *plane = result != 0 ? work + s[SPARSE_ROW] : (union sparse_word *)0;
    for (uint32_t channel = 0; channel < channels; channel++) {
        const int32_t is_trained = learn_rows[(uint32_t)s[SPARSE_ROWS] + channel] >= 0;
        float bias;
        for (int32_t i = 0; i < s[SPARSE_ROW]; i++) {
            if (s[SPARSE_GRADIENT_STEP]) {
                work[i].real = 0.0f;
            } else {
                work[i].whole = 0;
            }
        }
        for (uint32_t i = 0; plane != 0 && i < pixels; i++) plane[i].real = 0.0f;
        bias = depthwise_channel(s, is_trained ? x : (const int8_t *)0, mask, gradient, channel, work, plane,
                                 learn_sparse_row(head, s, channel));
        /* The result may lie in the place of the gradient, whose plane is no longer needed. */
        for (uint32_t i = 0; plane != 0 && i < pixels; i++) {
            float *target = result + i * channels + channel;
            *target = s[SPARSE_ACCUMULATE] ? *target + plane[i].real : plane[i].real;
        }
        learn_channel(head, s, channel, work, bias);
    }
}

/* Gradients that are handed on: of a mean to the pixels, of a sum to its operands. */
static void hand_on(const int32_t *s, const uint8_t *mask, const float *gradient, float *result) {
    const uint32_t channels = (uint32_t)s[SPARSE_OUT_CHANNELS];
    const uint32_t is_pool = s[SPARSE_KIND] == SPARSE_POOL_BACK;
    const uint32_t inputs = (uint32_t)(s[SPARSE_IN_HEIGHT] * s[SPARSE_IN_WIDTH]);
    const uint32_t pixels = s[SPARSE_RESULT_STEP] ? inputs : 1u;
    for (uint32_t pixel = 0; pixel < pixels; pixel++) {
        for (uint32_t channel = 0; channel < channels; channel++) {
            const uint32_t index = is_pool ? channel : pixel * channels + channel;
            float g = sparse_passes(mask, index) ? gradient[channel] : 0.0f;
            if (is_pool) g = g * learn_shares[s[SPARSE_LAYER]];
            result[channel] = s[SPARSE_ACCUMULATE] ? result[channel] + g : g;
        }
        gradient += s[SPARSE_GRADIENT_STEP];
        result += channels;
    }
}

void learn_sparse_backward(struct learn_head *head, const int8_t *latent, float *arena,
                           union sparse_word *work, uint32_t label) {
    for (uint32_t i = LEARN_SPARSE_FORWARD; i < LEARN_SPARSE_STEPS; i++) {
        const int32_t *s = learn_sparse_step(i);
        const int8_t *x = sparse_value(arena, latent, s[SPARSE_INPUT]);
        const uint8_t *mask = sparse_mask(arena, s);
        float *gradient = arena + s[SPARSE_GRADIENT];
        float *result = s[SPARSE_RESULT] < 0 ? (float *)0 : arena + s[SPARSE_RESULT];
        switch (s[SPARSE_KIND]) {
        case SPARSE_LOSS: loss(head, gradient, label); break;
        case SPARSE_CONV_INPUT: conv_input(head, s, mask, gradient, result, work); break;
        case SPARSE_CONV_UPDATE: conv_update(head, s, x, mask, gradient, work); break;
        case SPARSE_DEPTHWISE_BACK: depthwise_back(head, s, x, mask, gradient, result, work); break;
#if LEARN_SPARSE_TOKENS
#if LEARN_SPARSE_CURVES
        case SPARSE_CURVE_BACK: learn_sparse_curve_back(s, x, gradient, result); break;
#endif
        case SPARSE_NORM_BACK: learn_sparse_norm_back(s, x, mask, gradient, result); break;
        case SPARSE_GAIN_BACK: learn_sparse_gain_back(head, s, x, gradient, result); break;
#endif
        default: hand_on(s, mask, gradient, result); break;
        }
    }
}
