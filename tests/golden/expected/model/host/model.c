/*
 * Model `tiny net`, compiled by tinyc 0.1.0 for board `host`.
 * Digest a62c487b6cf795f84166eacd467fb453f4a4eaba6c392ba01c0a313cbe41e443
 * Generated, do not edit.
 */
#include "model.h"

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define TINYC_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define TINYC_LAYER static __attribute__((noinline))
/* Hides where a pointer comes from, so that kernels are not cloned for one layer's constants. */
#define TINYC_OPAQUE(pointer) __asm__("" : "+r"(pointer))
#else
#define TINYC_ALIGNED(bytes)
#define TINYC_LAYER static
#define TINYC_OPAQUE(pointer) (void)(pointer)
#endif

/* ---- include/tinyc_fixed_point.h ---- */

/* ---- include/fully_connected.h ---- */

/* ---- tinyc_fully_connected_s8__portable ---- */
/* Sums wrap like the reference's. */
TINYC_KERNEL void tinyc_fully_connected_s8__portable(const struct tinyc_fully_connected *layer,
                                                     const int8_t *input, int8_t *output) {
    for (int32_t row = 0; row < layer->rows; row++) {
        const int8_t *weights = layer->weights;
        for (int32_t unit = 0; unit < layer->units; unit++) {
            uint32_t acc = (uint32_t)layer->bias[unit];
            for (int32_t d = 0; d < layer->depth; d++) {
                acc += (uint32_t)((input[d] + layer->input_offset) * weights[d]);
            }
            const int32_t channel = layer->per_channel ? unit : 0;
            const int32_t scaled =
                tinyc_requantize((int32_t)acc, layer->multiplier[channel], layer->shift[channel]);
            *output++ = (int8_t)tinyc_clamp(scaled + layer->output_offset, layer->low, layer->high);
            weights += layer->depth;
        }
        input += layer->depth;
    }
}

/* ---- memory of `tiny_net` ---- */
static uint8_t tiny_net_arena_memory[TINY_NET_ARENA_SIZE] TINYC_ALIGNED(16);

const uint8_t tiny_net_digest[32] = {
    0xa6, 0x2c, 0x48, 0x7b, 0x6c, 0xf7, 0x95, 0xf8,
    0x41, 0x66, 0xea, 0xcd, 0x46, 0x7f, 0xb4, 0x53,
    0xf4, 0xa4, 0xea, 0xba, 0x6c, 0x39, 0x2b, 0xa0,
    0x1c, 0x0a, 0x31, 0x3c, 0xbe, 0x41, 0xe4, 0x43,
};

/* Layer 0: FULLY_CONNECTED "dense * / one"
 *   int8[1, 4] int8[3, 4] int32[3] -> int8[1, 3]
 *   12 MACs, 39 bytes of constants
 *   kernel tinyc_fully_connected_s8__portable
 *   input at 0, 4 bytes: x
 *   output at 16, 3 bytes: hidden
 */
static const int8_t tiny_net_layer_0_weights[12] TINYC_ALIGNED(4) = {
    -127, -90, -53, -16, 21, 58, 95, -123, -86, -49, -12, 25,
};
static const int32_t tiny_net_layer_0_bias[3] TINYC_ALIGNED(4) = {
    -20000, 5, 20000,
};
static const int32_t tiny_net_layer_0_multiplier[3] TINYC_ALIGNED(4) = {
    1374389504, 1374389504, 2061584256,
};
static const int8_t tiny_net_layer_0_shift[3] TINYC_ALIGNED(4) = {
    -5, -4, -4,
};
static const struct tinyc_fully_connected tiny_net_layer_0_params = {
    .rows = 1,
    .depth = 4,
    .units = 3,
    .input_offset = 3,
    .output_offset = -128,
    .low = -128,
    .high = 127,
    .per_channel = 1,
    .weights = tiny_net_layer_0_weights,
    .bias = tiny_net_layer_0_bias,
    .multiplier = tiny_net_layer_0_multiplier,
    .shift = tiny_net_layer_0_shift,
};
TINYC_LAYER void tiny_net_layer_0(void) {
    const struct tinyc_fully_connected *params = &tiny_net_layer_0_params;
    uint8_t *arena = tiny_net_arena_memory;
    TINYC_OPAQUE(params);
    TINYC_OPAQUE(arena);
    tinyc_fully_connected_s8__portable(params,
        (const int8_t *)(arena + 0),
        (int8_t *)(arena + 16));
}

/* Layer 1: FULLY_CONNECTED "dense/two"
 *   int8[1, 3] int8[2, 3] -> int8[1, 2]
 *   6 MACs, 19 bytes of constants
 *   kernel tinyc_fully_connected_s8__portable
 *   input at 16, 3 bytes: hidden
 *   output at 0, 2 bytes: y
 */
static const int8_t tiny_net_layer_1_weights[6] TINYC_ALIGNED(4) = {
    -127, -90, -53, -16, 21, 58,
};
static const int32_t tiny_net_layer_1_bias[2] TINYC_ALIGNED(4) = {
    0, 0,
};
static const int32_t tiny_net_layer_1_multiplier[1] TINYC_ALIGNED(4) = {
    1374389504,
};
static const int8_t tiny_net_layer_1_shift[1] TINYC_ALIGNED(4) = {
    -4,
};
static const struct tinyc_fully_connected tiny_net_layer_1_params = {
    .rows = 1,
    .depth = 3,
    .units = 2,
    .input_offset = 128,
    .output_offset = 7,
    .low = -128,
    .high = 127,
    .per_channel = 0,
    .weights = tiny_net_layer_1_weights,
    .bias = tiny_net_layer_1_bias,
    .multiplier = tiny_net_layer_1_multiplier,
    .shift = tiny_net_layer_1_shift,
};
TINYC_LAYER void tiny_net_layer_1(void) {
    const struct tinyc_fully_connected *params = &tiny_net_layer_1_params;
    uint8_t *arena = tiny_net_arena_memory;
    TINYC_OPAQUE(params);
    TINYC_OPAQUE(arena);
    tinyc_fully_connected_s8__portable(params,
        (const int8_t *)(arena + 16),
        (int8_t *)(arena + 0));
}

/* ---- interface of `tiny_net` ---- */
static void (*const tiny_net_layers[TINY_NET_LAYER_COUNT])(void) = {
    tiny_net_layer_0,
    tiny_net_layer_1,
};

uint8_t *tiny_net_arena(void) {
    return tiny_net_arena_memory;
}

void tiny_net_run_layer(uint32_t layer) {
    if (layer < TINY_NET_LAYER_COUNT) {
        tiny_net_layers[layer]();
    }
}

void tiny_net_invoke(void) {
    for (uint32_t layer = 0; layer < TINY_NET_LAYER_COUNT; layer++) {
        tiny_net_layers[layer]();
    }
}

int8_t *tiny_net_input(void) {
    return tiny_net_input_0();
}

int8_t *tiny_net_input_0(void) {
    return (int8_t *)(tiny_net_arena_memory + TINY_NET_INPUT_0_OFFSET);
}

void tiny_net_quantize_input(const float *real, int8_t *quantized) {
    for (uint32_t i = 0; i < 4u; i++) {
        const float scaled = real[i] / 0.5f;
        int32_t value = -128;
        if (scaled >= 130.0f) {
            value = 127;
        } else if (scaled > -125.0f) {
            /* Round to nearest, ties away from zero. */
            const int32_t whole = (int32_t)scaled;
            const float rest = scaled - (float)whole;
            value = whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0) - 3;
        }
        quantized[i] = (int8_t)value;
    }
}

const int8_t *tiny_net_output(void) {
    return tiny_net_output_0();
}

const int8_t *tiny_net_output_0(void) {
    return (const int8_t *)(tiny_net_arena_memory + TINY_NET_OUTPUT_0_OFFSET);
}

void tiny_net_dequantize_output(const int8_t *quantized, float *real) {
    for (uint32_t i = 0; i < 2u; i++) {
        real[i] = 0.125f * (float)((int32_t)quantized[i] - 7);
    }
}
