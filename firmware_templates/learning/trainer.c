/*
 * Forward, backward and one step of gradient descent a sample.
 * TinyReptile: Ren, Anicic, Runkler 2023, arXiv 2304.05201. TinyMetaFed: arXiv 2307.06822.
 */
#include "trainer.h"

#include <string.h>

#include "crc32.h"
#include "learn_math.h"
#include "trainer_memory.h"

#define HEAD (TRAINER_WEIGHT_LAYERS - 1u)

struct trainer_memory trainer_memory;

static const uint32_t widths[TRAINER_WEIGHT_LAYERS + 1u] = {TRAINER_WIDTHS};

static struct {
    float values[TRAINER_VALUES]; /* of the inputs, and of all layers */
    float gradient[2][TRAINER_WIDEST];
    uint32_t record[TRAINER_RECORD_BYTES / 4u];
    float rate;
    uint32_t head_samples;
} work;

const struct trainer_stats *trainer_stats(void) {
    return &trainer_memory.stats;
}

static uint8_t *start_bytes(void) {
#if TRAINER_KEEPS_START
    return (uint8_t *)(void *)trainer_memory.start;
#else
    return (uint8_t *)(void *)trainer_memory.parameters;
#endif
}

const uint8_t *trainer_parameter_bytes(void) {
    return trainer_memory.stats.state == TRAINER_TRAINING ? (const uint8_t *)(void *)trainer_memory.parameters
                                                          : start_bytes();
}

static uint32_t head_parameters(void) {
    return widths[HEAD + 1u] * (widths[HEAD] + 1u);
}

static void zero_head(void) {
    const uint32_t head = head_parameters();
    memset(trainer_memory.parameters + (TRAINER_PARAMETERS - head), 0, 4u * head);
}

uint32_t trainer_write(uint32_t offset, const uint8_t *data, uint32_t size) {
    if (size > TRAINER_PARAMETER_BYTES || offset > TRAINER_PARAMETER_BYTES - size) {
        return TRAINER_OUT_OF_RANGE;
    }
#if TRAINER_KEEPS_START
    /* A round that ends without an encoded delta leaves its last layer among the parameters. */
    if (trainer_memory.stats.state == TRAINER_TRAINING) {
        const uint32_t body = TRAINER_PARAMETERS - head_parameters();
        memcpy(trainer_memory.start + body, trainer_memory.parameters + body, 4u * head_parameters());
    }
#endif
    trainer_memory.stats.state = TRAINER_IDLE;
    memcpy(start_bytes() + offset, data, size);
    return TRAINER_DONE;
}

uint32_t trainer_begin(const struct trainer_round *asked) {
    struct trainer_stats *const stats = &trainer_memory.stats;
    stats->state = TRAINER_IDLE;
    if (asked->start_bytes > TRAINER_PARAMETER_BYTES || asked->head > TRAINER_HEAD_KEPT) {
        return TRAINER_OUT_OF_RANGE;
    }
    if (crc32(0u, start_bytes(), asked->start_bytes) != asked->start_crc) {
        return TRAINER_OTHER_START;
    }
#if TRAINER_KEEPS_START
    memcpy(trainer_memory.parameters, trainer_memory.start, TRAINER_PARAMETER_BYTES);
#endif
    if (asked->head == TRAINER_HEAD_ZERO) {
        zero_head();
    }
    work.rate = asked->rate;
    work.head_samples = asked->head_samples;
    stats->state = TRAINER_TRAINING;
    stats->round = asked->round;
    stats->samples = 0u;
    stats->position = 0u;
    stats->loss = 0.0f;
    return TRAINER_DONE;
}

/* y = unit(W x + b). The sum of an output begins with b and goes over the inputs in order. */
static void dense(const float *weights, uint32_t layer, const float *x, float *y) {
    const uint32_t inputs = widths[layer], outputs = widths[layer + 1u];
    const float *const bias = weights + inputs * outputs;
    for (uint32_t o = 0; o < outputs; o++) {
        float sum = bias[o];
        for (uint32_t i = 0; i < inputs; i++) {
            sum = sum + weights[i] * x[i];
        }
        weights += inputs;
        if (layer != HEAD) {
#if TRAINER_HIDDEN == TRAINER_TANH
            sum = tinyc_float_tanh(sum);
#elif TRAINER_HIDDEN == TRAINER_RELU
            sum = sum > 0.0f ? sum : 0.0f;
#else
            sum = sum > 0.0f ? sum : 0.125f * sum;
#endif
        }
        y[o] = sum;
    }
}

/* How steep a unit is where it gives y. */
static float slope(float y) {
#if TRAINER_HIDDEN == TRAINER_TANH
    return 1.0f - y * y;
#elif TRAINER_HIDDEN == TRAINER_RELU
    return y > 0.0f ? 1.0f : 0.0f;
#else
    return y > 0.0f ? 1.0f : 0.125f;
#endif
}

/* The gradient of the loss at the output; returns the loss. */
static float output_gradient(const float *y, float *gradient) {
#if TRAINER_LOSS == TRAINER_SOFTMAX
    const uint32_t label = work.record[TRAINER_INPUTS];
    float most = y[0], sum = 0.0f;
    for (uint32_t o = 1; o < TRAINER_OUTPUTS; o++) {
        most = y[o] > most ? y[o] : most;
    }
    for (uint32_t o = 0; o < TRAINER_OUTPUTS; o++) {
        gradient[o] = learn_exp(y[o] - most);
        sum = sum + gradient[o];
    }
    for (uint32_t o = 0; o < TRAINER_OUTPUTS; o++) {
        gradient[o] = gradient[o] / sum;
    }
    const float loss = 1.0f - gradient[label];
    gradient[label] = gradient[label] - 1.0f;
    return loss;
#else
    float target, sum = 0.0f;
    for (uint32_t o = 0; o < TRAINER_OUTPUTS; o++) {
        memcpy(&target, work.record + TRAINER_INPUTS + o, sizeof target);
        gradient[o] = y[o] - target;
        sum = sum + gradient[o] * gradient[o];
    }
    return sum / (float)TRAINER_OUTPUTS;
#endif
}

/*
 * One layer's step along `gradient`, that of its outputs. With `below` that of its inputs is found as well, by
 * the weights of before the step: its sums go over the outputs in order.
 */
static void layer_step(float *weights, uint32_t layer, const float *x, const float *gradient, float *below) {
    const uint32_t inputs = widths[layer], outputs = widths[layer + 1u];
    float *const bias = weights + inputs * outputs;
    if (below != 0) {
        memset(below, 0, inputs * sizeof *below);
    }
    for (uint32_t o = 0; o < outputs; o++) {
        const float slant = gradient[o], step = work.rate * slant;
        if (below != 0) {
            for (uint32_t i = 0; i < inputs; i++) {
                below[i] = below[i] + weights[i] * slant;
                weights[i] = weights[i] - step * x[i];
            }
        } else {
            for (uint32_t i = 0; i < inputs; i++) {
                weights[i] = weights[i] - step * x[i];
            }
        }
        weights += inputs;
        bias[o] = bias[o] - step;
    }
    if (below != 0) {
        for (uint32_t i = 0; i < inputs; i++) {
            below[i] = below[i] * slope(x[i]);
        }
    }
}

/* Learns from the record: layers from `first` on move. Returns the loss of before. */
static float step(uint32_t first) {
    float *weights = trainer_memory.parameters, *x = work.values;
    memcpy(x, work.record, 4u * TRAINER_INPUTS);
    for (uint32_t layer = 0;; layer++) {
        dense(weights, layer, x, x + widths[layer]);
        if (layer == HEAD) {
            break;
        }
        weights += widths[layer + 1u] * (widths[layer] + 1u);
        x += widths[layer];
    }
    uint32_t turn = 0u;
    const float loss = output_gradient(x + widths[HEAD], work.gradient[0]);
    for (uint32_t layer = HEAD;; layer--) {
        float *const below = layer != first ? work.gradient[turn ^ 1u] : 0;
        layer_step(weights, layer, x, work.gradient[turn], below);
        if (layer == first) {
            return loss;
        }
        x -= widths[layer - 1u];
        weights -= widths[layer] * (widths[layer - 1u] + 1u);
        turn ^= 1u;
    }
}

/* The record is whole. */
static uint32_t learn(void) {
    struct trainer_stats *const stats = &trainer_memory.stats;
#if TRAINER_LOSS == TRAINER_SOFTMAX
    if (work.record[TRAINER_INPUTS] >= TRAINER_OUTPUTS) {
        return TRAINER_OUT_OF_RANGE;
    }
#endif
    const float loss = step(stats->samples < work.head_samples ? HEAD : 0u);
    stats->samples++;
    stats->loss = stats->loss + loss;
    return learn_is_finite(stats->loss) ? TRAINER_DONE : TRAINER_NOT_FINITE;
}

uint32_t trainer_take(uint32_t position, const uint8_t *data, uint32_t size) {
    struct trainer_stats *const stats = &trainer_memory.stats;
    uint8_t *const record = (uint8_t *)(void *)work.record;
    if (stats->state != TRAINER_TRAINING) {
        return TRAINER_NO_ROUND;
    }
    const uint32_t known = stats->position - position;
    if (position > stats->position || size > UINT32_MAX - position) {
        return TRAINER_OUT_OF_RANGE;
    }
    if (known >= size) {
        return TRAINER_DONE;
    }
    data += known;
    size -= known;
    while (size > 0u) {
        const uint32_t at = stats->position % TRAINER_RECORD_BYTES;
        const uint32_t room = TRAINER_RECORD_BYTES - at, part = size < room ? size : room;
        memcpy(record + at, data, part);
        data += part;
        size -= part;
        stats->position += part;
        if (part == room) {
            const uint32_t result = learn();
            if (result != TRAINER_DONE) {
                stats->state = TRAINER_IDLE;
#if !TRAINER_KEEPS_START
                zero_head(); /* that of the next round, if it is kept */
#endif
                return result;
            }
        }
    }
    return TRAINER_DONE;
}
