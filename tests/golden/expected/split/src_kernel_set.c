/*
 * The kernels of this firmware, and how a model's steps call them. Generated, do not edit.
 */
#include "model.h"
#include "model_firmware.h"

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

/* ---- the set ---- */
const uint8_t model_kernel_digests[MODEL_KERNEL_COUNT][TINYC_DIGEST_BYTES] = {
    {digest}, /* tinyc_fully_connected_s8_row__cortex_m4 */
};
const uint8_t model_kernel_places[MODEL_KERNEL_COUNT] = {
    2,
};
uint8_t model_kernel_cases[TINYC_MODEL_KERNELS];

static uint8_t model_arena_memory[MODEL_ARENA_BYTES] TINYC_ALIGNED(16);

uint8_t *model_arena(void) {
    return model_arena_memory;
}

/* A call for each kernel and none through a pointer, so that the stack has a bound. */
TINYC_LAYER void run_step(const struct tinyc_step *step) {
    uint8_t *const arena = model_arena_memory;
    const void *const params = step->params;
    const uint32_t *const places = step->places;
    switch (model_kernel_cases[step->kernel]) {
    case 0:
        tinyc_fully_connected_s8_row__cortex_m4(params,
            (const int8_t *)(void *)(arena + places[0]),
            (int8_t *)(void *)(arena + places[1]));
        break;
    default:
        break;
    }
}

void model_run_layer(uint32_t layer) {
    const struct tinyc_model *const model = tinyc_model_active();
    if (layer < model->layer_count) {
        run_step(model->steps + layer);
    }
}

void model_invoke(void) {
    const struct tinyc_model *const model = tinyc_model_active();
    for (uint32_t layer = 0; layer < model->layer_count; layer++) {
        run_step(model->steps + layer);
    }
}
