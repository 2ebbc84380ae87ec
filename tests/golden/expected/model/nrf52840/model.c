/*
 * Model `tiny net`, compiled by tinyc 0.1.0 for board `nrf52840`.
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

/* ---- include/tinyc_dsp.h ---- */

/* ---- include/tinyc_row.h ---- */

/* ---- tinyc_fully_connected_s8_4x1__cortex_m4_s3_channel ---- */
/* One row, four channels at a time; shift 3, constants by channel. */
#if defined(__ARM_FEATURE_DSP)
TINYC_ASSEMBLY void tinyc_fully_connected_s8_4x1__cortex_m4_s3_channel(
    const struct tinyc_row *layer TINYC_UNUSED, const int8_t *input TINYC_UNUSED,
    int8_t *output TINYC_UNUSED, void *scratch TINYC_UNUSED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "vpush {d8-d12}\n\t"
        "bl tinyc_row_start\n\t"
        "1:\n\t"
        "bl tinyc_row_sums\n\t"
        "ldmia r12!, {r4-r11}\n\t"
        "smmla r0, r0, r4, r5\n\t"
        "ssat r0, #8, r0, asr #3\n\t"
        "smmla r1, r1, r6, r7\n\t"
        "ssat r1, #8, r1, asr #11\n\t"
        "smmla r2, r2, r8, r9\n\t"
        "ssat r2, #8, r2, asr #3\n\t"
        "smmla r3, r3, r10, r11\n\t"
        "ssat r3, #8, r3, asr #11\n\t"
        "bfi r0, r1, #8, #8\n\t"
        "bfi r0, r2, #16, #8\n\t"
        "bfi r0, r3, #24, #8\n\t"
        "vmov r4, r5, s20, s21\n\t"
        "subs r5, r5, #4\n\t"
        "blt 2f\n\t"
        "str r0, [r4], #4\n\t"
        "vmov s20, s21, r4, r5\n\t"
        "bne 1b\n\t"
        "b 4f\n\t"
        "2:\n\t"
        "adds r5, r5, #4\n\t"
        "3:\n\t"
        "strb r0, [r4], #1\n\t"
        "lsr r0, r0, #8\n\t"
        "subs r5, r5, #1\n\t"
        "bne 3b\n\t"
        "4:\n\t"
        "vpop {d8-d12}\n\t"
        "pop {r4-r11, pc}");
}
#else
TINYC_KERNEL void tinyc_fully_connected_s8_4x1__cortex_m4_s3_channel(const struct tinyc_row *layer, const int8_t *input, int8_t *output,
                                                                     void *scratch) {
    const struct tinyc_row_rounding rounding = {0, 3, 0};
    tinyc_row_in_c(layer, input, output, scratch, rounding);
}
#endif

/* ---- tinyc_fully_connected_s8_4x1__cortex_m4_double4_layer ---- */
/* One row, four channels at a time; the double rounding, constants of the layer. */
#if defined(__ARM_FEATURE_DSP)
TINYC_ASSEMBLY void tinyc_fully_connected_s8_4x1__cortex_m4_double4_layer(
    const struct tinyc_row *layer TINYC_UNUSED, const int8_t *input TINYC_UNUSED,
    int8_t *output TINYC_UNUSED, void *scratch TINYC_UNUSED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "vpush {d8-d12}\n\t"
        "bl tinyc_row_start\n\t"
        "1:\n\t"
        "bl tinyc_row_sums\n\t"
        "vmov r4, r5, s22, s23\n\t"
        "lsl r0, r0, #1\n\t"
        "add r10, r5, r0, asr #31\n\t"
        "smmlar r0, r0, r4, r10\n\t"
        "ssat r0, #8, r0, asr #4\n\t"
        "asr r1, r1, #7\n\t"
        "add r10, r5, r1, asr #31\n\t"
        "smmlar r1, r1, r4, r10\n\t"
        "ssat r1, #8, r1, asr #4\n\t"
        "lsl r2, r2, #1\n\t"
        "add r10, r5, r2, asr #31\n\t"
        "smmlar r2, r2, r4, r10\n\t"
        "ssat r2, #8, r2, asr #4\n\t"
        "asr r3, r3, #7\n\t"
        "add r10, r5, r3, asr #31\n\t"
        "smmlar r3, r3, r4, r10\n\t"
        "ssat r3, #8, r3, asr #4\n\t"
        "bfi r0, r1, #8, #8\n\t"
        "bfi r0, r2, #16, #8\n\t"
        "bfi r0, r3, #24, #8\n\t"
        "vmov r4, r5, s20, s21\n\t"
        "subs r5, r5, #4\n\t"
        "blt 2f\n\t"
        "str r0, [r4], #4\n\t"
        "vmov s20, s21, r4, r5\n\t"
        "bne 1b\n\t"
        "b 4f\n\t"
        "2:\n\t"
        "adds r5, r5, #4\n\t"
        "3:\n\t"
        "strb r0, [r4], #1\n\t"
        "lsr r0, r0, #8\n\t"
        "subs r5, r5, #1\n\t"
        "bne 3b\n\t"
        "4:\n\t"
        "vpop {d8-d12}\n\t"
        "pop {r4-r11, pc}");
}
#else
TINYC_KERNEL void tinyc_fully_connected_s8_4x1__cortex_m4_double4_layer(const struct tinyc_row *layer, const int8_t *input, int8_t *output,
                                                                        void *scratch) {
    const struct tinyc_row_rounding rounding = {1, -1, 4};
    tinyc_row_in_c(layer, input, output, scratch, rounding);
}
#endif

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
 *   12 MACs, 80 bytes of constants
 *   kernel tinyc_fully_connected_s8_4x1__cortex_m4
 *   input at 0, 4 bytes: x
 *   output at 64, 3 bytes: hidden
 *   scratch at 0, 64 bytes: scratch
 */
static const int32_t tiny_net_layer_0_weights[20] TINYC_ALIGNED(4) = {
    -21101, 19347, 19397, 19397, 1590367361, -720982, -2064631386, 1703887, 0, 0, 0, 0, 687181004,
    -981, 1374436803, -261056, 2061583945, -906, 0, 0,
};
static const struct tinyc_row tiny_net_layer_0_params = {
    .weights = tiny_net_layer_0_weights,
    .units = 3,
    .entry = 7,
    .panel = 0,
    .held = 4,
    .rest = 0,
    .constants = {0, 0, 0, 0},
};
TINYC_LAYER void tiny_net_layer_0(void) {
    const struct tinyc_row *params = &tiny_net_layer_0_params;
    uint8_t *arena = tiny_net_arena_memory;
    TINYC_OPAQUE(params);
    TINYC_OPAQUE(arena);
    tinyc_fully_connected_s8_4x1__cortex_m4_s3_channel(params,
        (const int8_t *)(arena + 0),
        (int8_t *)(arena + 64),
        (void *)(arena + 0));
}

/* Layer 1: FULLY_CONNECTED "dense/two"
 *   int8[1, 3] int8[2, 3] -> int8[1, 2]
 *   6 MACs, 48 bytes of constants
 *   kernel tinyc_fully_connected_s8_4x1__cortex_m4
 *   input at 64, 3 bytes: hidden
 *   output at 64, 2 bytes: y
 *   scratch at 0, 64 bytes: scratch
 */
static const int32_t tiny_net_layer_1_weights[12] TINYC_ALIGNED(4) = {
    -34560, 2029824, 0, 0, 346484609, 0, 14795, 0, 0, 0, 0, 0,
};
static const struct tinyc_row tiny_net_layer_1_params = {
    .weights = tiny_net_layer_1_weights,
    .units = 2,
    .entry = 7,
    .panel = 0,
    .held = 3,
    .rest = 0,
    .constants = {1374389504, 120, 1374389504, 120},
};
TINYC_LAYER void tiny_net_layer_1(void) {
    const struct tinyc_row *params = &tiny_net_layer_1_params;
    uint8_t *arena = tiny_net_arena_memory;
    TINYC_OPAQUE(params);
    TINYC_OPAQUE(arena);
    tinyc_fully_connected_s8_4x1__cortex_m4_double4_layer(params,
        (const int8_t *)(arena + 64),
        (int8_t *)(arena + 64),
        (void *)(arena + 0));
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
