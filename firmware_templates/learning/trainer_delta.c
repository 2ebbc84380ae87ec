/*
 * The delta of a round as bytes: the largest entries as int8 beside a bitmap (Top-P selective communication,
 * TinyMetaFed, arXiv 2307.06822). It is made where the trained parameters lie, without memory of its own:
 * they become differences, then one byte each, and behind these the encoded delta.
 */
#include <string.h>

#include "learn_math.h"
#include "trainer.h"
#include "trainer_memory.h"

#if TRAINER_KEEPS_START

#define SPARSE_INT8 1u
#define LARGEST 127
#define NOT_CHOSEN (-128)
#define INFINITE 0x7F800000u
#define SMALLEST_NORMAL 1.17549435e-38f

static const uint32_t widths[TRAINER_WEIGHT_LAYERS + 1u] = {TRAINER_WIDTHS};

/* Bits of |x|, which order as the numbers do. */
static uint32_t magnitude(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7FFFFFFFu;
}

static uint32_t how_many_from(uint32_t least, uint32_t entries) {
    uint32_t count = 0u;
    for (uint32_t i = 0; i < entries; i++) {
        count += magnitude(trainer_memory.parameters[i]) >= least;
    }
    return count;
}

/* The largest `least` so that `keep` entries have at least so much; 1, the smallest above zero, for all. */
static uint32_t least_kept(uint32_t keep, uint32_t entries) {
    uint32_t low = 1u, high = INFINITE;
    while (high - low > 1u) {
        const uint32_t middle = low + (high - low) / 2u;
        if (how_many_from(middle, entries) >= keep) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whether an entry is one of those kept; of those that are just large enough only the first `ties` are. */
static uint32_t is_kept(float entry, uint32_t least, uint32_t *ties) {
    const uint32_t size = magnitude(entry);
    if (size != least) {
        return size > least;
    }
    if (*ties == 0u) {
        return 0u;
    }
    *ties -= 1u;
    return 1u;
}

/* The entries of a layer from `first` on become bytes. Returns the layer's scale. */
static float quantize(int8_t *bytes, uint32_t first, uint32_t count, uint32_t least, uint32_t *ties) {
    const float *const entries = trainer_memory.parameters;
    uint32_t left = *ties;
    float most = 0.0f;
    for (uint32_t i = first; i < first + count; i++) {
        const float size = entries[i] < 0.0f ? -entries[i] : entries[i];
        if (is_kept(entries[i], least, &left) && size > most) {
            most = size;
        }
    }
    float scale = most / 127.0f;
    if (scale < SMALLEST_NORMAL) {
        scale = 0.0f;
    }
    for (uint32_t i = first; i < first + count; i++) {
        const float entry = entries[i];
        int32_t value = NOT_CHOSEN;
        if (is_kept(entry, least, ties) && scale > 0.0f) {
            value = (int32_t)(entry / scale + (entry < 0.0f ? -0.5f : 0.5f));
            value = value > LARGEST ? LARGEST : value < -LARGEST ? -LARGEST : value;
        }
        bytes[i] = (int8_t)value; /* entries up to here have been read */
    }
    return scale;
}

/* Writes a layer: scale, bitmap, values. Returns how many bytes. */
static uint32_t put_layer(uint8_t *to, float scale, const int8_t *bytes, uint32_t count) {
    uint8_t *const bitmap = to + sizeof scale;
    uint8_t *values = bitmap + (count + 7u) / 8u;
    memcpy(to, &scale, sizeof scale);
    memset(bitmap, 0, (count + 7u) / 8u);
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] != NOT_CHOSEN) {
            bitmap[i / 8u] = (uint8_t)(bitmap[i / 8u] | 1u << i % 8u);
            *values++ = (uint8_t)bytes[i];
        }
    }
    return (uint32_t)(values - to);
}

/* The trained parameters become what changed. A last layer that is not sent becomes that of the next start. */
static uint32_t subtract_start(uint32_t entries) {
    float *const parameters = trainer_memory.parameters, *const start = trainer_memory.start;
    memcpy(start + entries, parameters + entries, 4u * (TRAINER_PARAMETERS - entries));
    uint32_t finite = 1u;
    for (uint32_t i = 0; i < entries; i++) {
        parameters[i] = parameters[i] - start[i];
        finite &= learn_is_finite(parameters[i]);
    }
    return finite;
}

uint32_t trainer_encode(uint32_t layers, uint32_t keep) {
    struct trainer_stats *const stats = &trainer_memory.stats;
    if (stats->state != TRAINER_TRAINING) {
        return stats->state == TRAINER_ENCODED ? TRAINER_DONE : TRAINER_NO_ROUND;
    }
    if (layers == 0u || layers > TRAINER_WEIGHT_LAYERS || keep == 0u) {
        return TRAINER_OUT_OF_RANGE;
    }
    float scales[TRAINER_WEIGHT_LAYERS];
    uint32_t entries = 0u;
    for (uint32_t layer = 0; layer < layers; layer++) {
        entries += widths[layer + 1u] * (widths[layer] + 1u);
    }
    if (!subtract_start(entries)) {
        stats->state = TRAINER_IDLE;
        return TRAINER_NOT_FINITE;
    }
    const uint32_t least = least_kept(keep, entries);
    const uint32_t above = how_many_from(least + 1u, entries);
    uint32_t ties = keep > above ? keep - above : 0u;
    int8_t *const bytes = (int8_t *)(void *)trainer_memory.parameters;
    uint8_t *const encoded = (uint8_t *)(void *)trainer_memory.parameters + TRAINER_PARAMETERS;
    for (uint32_t layer = 0, first = 0; layer < layers; layer++) {
        const uint32_t count = widths[layer + 1u] * (widths[layer] + 1u);
        scales[layer] = quantize(bytes, first, count, least, &ties);
        first += count;
    }
    uint32_t size = 1u;
    encoded[0] = SPARSE_INT8;
    for (uint32_t layer = 0, first = 0; layer < layers; layer++) {
        const uint32_t count = widths[layer + 1u] * (widths[layer] + 1u);
        size += put_layer(encoded + size, scales[layer], bytes + first, count);
        first += count;
    }
    trainer_memory.encoded_bytes = size;
    stats->state = TRAINER_ENCODED;
    return TRAINER_DONE;
}

const uint8_t *trainer_encoded(uint32_t *size) {
    *size = trainer_memory.stats.state == TRAINER_ENCODED ? trainer_memory.encoded_bytes : 0u;
    return (const uint8_t *)(void *)trainer_memory.parameters + TRAINER_PARAMETERS;
}

#endif
