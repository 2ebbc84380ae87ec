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

/* ---- cortex_m4/fully_connected_s8_row.c ---- */

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
