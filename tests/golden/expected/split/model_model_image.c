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

/* ---- cortex_m4/fully_connected_s8_row.c ---- */

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
