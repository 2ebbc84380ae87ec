/*
 * Model `tiny net`, compiled by tinyc 0.1.0 for board `nrf52840`: an image of its own.
 * Digest a62c487b6cf795f84166eacd467fb453f4a4eaba6c392ba01c0a313cbe41e443
 * The kernels are here for their structs; their code is the firmware's.
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

/* ---- include/tinyc_dsp.h ---- */

/* ---- include/fully_connected.h ---- */

/* ---- tinyc_fully_connected_s8_row__cortex_m4 ---- */
/* The products of four inputs with the weights of four units. */
TINYC_INLINE void tinyc_four_units(const tinyc_word **weights, uint32_t inputs, uint32_t *sum0,
                                   uint32_t *sum1, uint32_t *sum2, uint32_t *sum3) {
    uint32_t even, odd, a, b, half;
    tinyc_split_bytes(inputs, &even, &odd);
    tinyc_next_words(weights, &a, &b);
    tinyc_split_bytes(a, &half, &a);
    *sum0 = tinyc_smlad(half, even, *sum0);
    *sum0 = tinyc_smlad(a, odd, *sum0);
    tinyc_split_bytes(b, &half, &b);
    *sum1 = tinyc_smlad(half, even, *sum1);
    *sum1 = tinyc_smlad(b, odd, *sum1);
    tinyc_next_words(weights, &a, &b);
    tinyc_split_bytes(a, &half, &a);
    *sum2 = tinyc_smlad(half, even, *sum2);
    *sum2 = tinyc_smlad(a, odd, *sum2);
    tinyc_split_bytes(b, &half, &b);
    *sum3 = tinyc_smlad(half, even, *sum3);
    *sum3 = tinyc_smlad(b, odd, *sum3);
}

/* One row, read as it is. `weights` holds for each four units and each four inputs a word of each unit,
 * `bias` the input offset times the weights; units and inputs behind the last are zeros. The other fields
 * are those of tinyc_panel.h. */
TINYC_KERNEL void tinyc_fully_connected_s8_row__cortex_m4(const struct tinyc_fully_connected *layer,
                                                          const int8_t *input, int8_t *output) {
    const tinyc_word *weights = (const tinyc_word *)(const void *)layer->weights;
    const int32_t mask = -layer->per_channel, offset = 2 * layer->output_offset + 1;
    const int32_t rest = layer->depth & 3;
    const int8_t *const end = input + (layer->depth - rest);
    uint32_t last = 0;

    for (int32_t i = 0; i < rest; i++) {
        last |= (uint32_t)(uint8_t)end[i] << (8 * i);
    }
    for (int32_t unit = 0; unit < layer->units; unit += 4) {
        const int32_t *bias = layer->bias + unit;
        uint32_t a = (uint32_t)bias[0], b = (uint32_t)bias[1], c = (uint32_t)bias[2], d = (uint32_t)bias[3];
        for (const int8_t *x = input; x != end; x += 4) {
            tinyc_four_units(&weights, tinyc_load_word(x), &a, &b, &c, &d);
        }
        if (rest) {
            tinyc_four_units(&weights, last, &a, &b, &c, &d);
        }
        const uint32_t sums[4] = {a, b, c, d};
        for (int32_t i = 0; i < 4 && unit + i < layer->units; i++) {
            const int32_t at = (unit + i) & mask;
            output[unit + i] = tinyc_output_s8(sums[i], layer->multiplier[at], layer->shift[at], offset);
        }
    }
    tinyc_clamp_s8(output, layer->units, layer->low, layer->high);
}

/* ---- the layers ---- */

/* Layer 0: FULLY_CONNECTED "dense * / one"
 *   int8[1, 4] int8[3, 4] int32[3] -> int8[1, 3]
 *   12 MACs, 47 bytes of constants
 *   kernel tinyc_fully_connected_s8_row__cortex_m4
 *   input at 0, 4 bytes: x
 *   output at 16, 3 bytes: hidden
 */
static const int8_t tiny_net_layer_0_weights[16] TINYC_ALIGNED(4) = {
    -127, -90, -53, -16, 21, 58, 95, -123, -86, -49, -12, 25, 0, 0, 0, 0,
};
static const int32_t tiny_net_layer_0_bias[4] TINYC_ALIGNED(4) = {
    -20858, 158, 19634, 0,
};
static const int32_t tiny_net_layer_0_multiplier[3] TINYC_ALIGNED(4) = {
    1374389504, 1374389504, 2061584256,
};
static const int8_t tiny_net_layer_0_shift[3] TINYC_ALIGNED(4) = {
    4, 3, 3,
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
static const uint32_t tiny_net_layer_0_places[] = {0, 16};

/* Layer 1: FULLY_CONNECTED "dense/two"
 *   int8[1, 3] int8[2, 3] -> int8[1, 2]
 *   6 MACs, 37 bytes of constants
 *   kernel tinyc_fully_connected_s8_row__cortex_m4
 *   input at 16, 3 bytes: hidden
 *   output at 0, 2 bytes: y
 */
static const int8_t tiny_net_layer_1_weights[16] TINYC_ALIGNED(4) = {
    -127, -90, -53, 0, -16, 21, 58, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
static const int32_t tiny_net_layer_1_bias[4] TINYC_ALIGNED(4) = {
    -34560, 8064, 0, 0,
};
static const int32_t tiny_net_layer_1_multiplier[1] TINYC_ALIGNED(4) = {
    1374389504,
};
static const int8_t tiny_net_layer_1_shift[1] TINYC_ALIGNED(4) = {
    3,
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
static const uint32_t tiny_net_layer_1_places[] = {16, 0};

/* ---- what the firmware reads ---- */
static const struct tinyc_step tiny_net_steps[] = {
    {&tiny_net_layer_0_params, tiny_net_layer_0_places, 0u},
    {&tiny_net_layer_1_params, tiny_net_layer_1_places, 0u},
};

static const uint8_t tiny_net_kernels[][TINYC_DIGEST_BYTES] = {
    {digest}, /* tinyc_fully_connected_s8_row__cortex_m4 */
};

static const struct tensor_place tiny_net_inputs[] = {
    {0u, 4u}, /* int8[1, 4], real = 0.5 * (quantized + 3) */
};

static const struct tensor_place tiny_net_outputs[] = {
    {0u, 2u}, /* int8[1, 2], real = 0.125 * (quantized - 7) */
};

static const char tiny_net_name[] = "tiny net";
static const char tiny_net_version[] = "1.2.3";

extern const uint8_t linker_model_end[];

__attribute__((section(".model_header"), used)) const struct tinyc_model tinyc_model_image = {
    .magic = TINYC_MODEL_MAGIC,
    .format = TINYC_MODEL_FORMAT,
    .end = linker_model_end,
    .layer_count = 2u,
    .kernel_count = 1u,
    .input_count = 1u,
    .output_count = 1u,
    .input_bytes = 4u,
    .output_bytes = 2u,
    .name_bytes = sizeof tiny_net_name - 1u,
    .version_bytes = sizeof tiny_net_version - 1u,
    .arena = {0u, 19u},
    .steps = tiny_net_steps,
    .kernels = tiny_net_kernels,
    .inputs = tiny_net_inputs,
    .outputs = tiny_net_outputs,
    .name = tiny_net_name,
    .version = tiny_net_version,
    .features = {0, 0, 0, 0},
    .front_end = {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    .digest = {
    0xa6, 0x2c, 0x48, 0x7b, 0x6c, 0xf7, 0x95, 0xf8,
    0x41, 0x66, 0xea, 0xcd, 0x46, 0x7f, 0xb4, 0x53,
    0xf4, 0xa4, 0xea, 0xba, 0x6c, 0x39, 0x2b, 0xa0,
    0x1c, 0x0a, 0x31, 0x3c, 0xbe, 0x41, 0xe4, 0x43,
    },
};
