/* One filter per channel: 16 channels at a time over the pixels of a window, two taps at a time.
 *
 * VMULLB and VMULLT multiply even and odd bytes. Products of two taps are added in int16, which holds them
 * unless both weights are -128, and then widened: the sums of channels 0, 4, 8, 12, of 2, 6, 10, 14, of 1, 5,
 * 9, 13 and of 3, 7, 11, 15 lie in a vector each. Narrowing puts them in order again. */
#ifndef TINYC_MVE_DEPTHWISE_H
#define TINYC_MVE_DEPTHWISE_H

#include "tinyc_mve.h"

struct tinyc_mve_depthwise {
    int32_t batches;
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t padding; /* the input's zero point */
    /* Of each 16 channels, those behind the last are zeros: the weights [taps][16]; the biases of the four
     * vectors above; for each vector multipliers, constants and, where `shift` is 0, negative right shifts, as
     * in `struct tinyc_mve_rounding`. */
    const int8_t *weights;
    const int32_t *constants;
    int32_t tile; /* bytes of the weights */
    int32_t shift;
    int32_t low, high;
};

/* Arguments of the assembly, in the order in which it loads them: a run of outputs, those of one pixel or of a
 * row of pixels whose windows lie one behind the other. */
struct tinyc_mve_taps {
    const int8_t *weights;
    const int32_t *constants;
    int8_t *output;
    int32_t count;       /* of outputs */
    int32_t pairs;       /* of taps; there is one more tap, the first, where `odd` is 1 */
    int32_t shift;
    const int8_t **taps; /* where the first window's pixels lie; they move on by TINYC_MVE_MOVED(count) */
    int32_t odd;
    const int8_t *end;   /* of the weights: then they begin again, as do the constants */
    int32_t low, high;
};

#if defined(__ARM_FEATURE_MVE)

/* By whole blocks. */
#define TINYC_MVE_MOVED(count) (((count) + 15) & ~15)

/* clang-format off */
/* Two taps whose pixels `load` loads. */
#define TINYC_MVE_TWO_TAPS(load)           \
    "ldrd r4, r5, [r9]\n\t"                \
    load "q0, [r4], #16\n\t"               \
    "vldrb.8 q1, [r0], #16\n\t"            \
    "vmullb.s8 q2, q0, q1\n\t"             \
    "vmullt.s8 q3, q0, q1\n\t"             \
    load "q0, [r5], #16\n\t"               \
    "vldrb.8 q1, [r0]\n\t"                 \
    "vmullb.s8 q1, q0, q1\n\t"             \
    "strd r4, r5, [r9], #8\n\t"            \
    "vadd.i16 q2, q2, q1\n\t"              \
    "vldrb.8 q1, [r0], #16\n\t"            \
    "vmullt.s8 q0, q0, q1\n\t"             \
    "vadd.i16 q3, q3, q0\n\t"              \
    TINYC_MVE_WIDEN
#define TINYC_MVE_WIDEN                    \
    "vmovlb.s16 q0, q2\n\t"                \
    "vadd.i32 q4, q4, q0\n\t"              \
    "vmovlt.s16 q2, q2\n\t"                \
    "vadd.i32 q5, q5, q2\n\t"              \
    "vmovlb.s16 q1, q3\n\t"                \
    "vadd.i32 q6, q6, q1\n\t"              \
    "vmovlt.s16 q3, q3\n\t"                \
    "vadd.i32 q7, q7, q3\n\t"
#define TINYC_MVE_ONE_STEP_OF(q)           \
    "vldrw.32 q0, [r1], #16\n\t"           \
    "vmulh.s32 " q ", " q ", q0\n\t"       \
    "vldrw.32 q1, [r1], #16\n\t"           \
    "vadd.i32 " q ", " q ", q1\n\t"        \
    "vshl.s32 " q ", r8\n\t"
#define TINYC_MVE_TWO_STEPS_OF(q)          \
    "vldrw.32 q0, [r1], #16\n\t"           \
    "vshr.s32 q1, " q ", #31\n\t"          \
    "vqrdmulh.s32 " q ", " q ", q0\n\t"    \
    "vldrw.32 q2, [r1], #16\n\t"           \
    "vadd.i32 q1, q1, q2\n\t"              \
    "vadd.i32 " q ", " q ", q1\n\t"        \
    "vldrw.32 q3, [r1], #16\n\t"           \
    "vshl.s32 " q ", " q ", q3\n\t"
#define TINYC_MVE_NARROW                   \
    "vqmovnb.s32 q0, q4\n\t"               \
    "vqmovnt.s32 q0, q5\n\t"               \
    "vqmovnb.s32 q1, q6\n\t"               \
    "vqmovnt.s32 q1, q7\n\t"               \
    "vqmovnb.s16 q2, q0\n\t"               \
    "vqmovnt.s16 q2, q1\n\t"
/* clang-format on */

/* All outputs of a run. */
TINYC_MVE_NAKED void tinyc_mve_depthwise_run(const struct tinyc_mve_taps *run TINYC_MVE_UNUSED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "vpush {d8-d15}\n\t"
        "mov r11, r0\n\t"
        "ldmia r11, {r0-r3}\n\t"
        "ldrd r7, r8, [r11, #16]\n\t"
        "ldrd r6, r12, [r11, #24]\n\t"
        "ldr r10, [r11, #32]\n"
        "1:\n\t"
        "vctp.8 r3\n\t"
        "vldrw.32 q4, [r1], #16\n\t"
        "vldrw.32 q5, [r1], #16\n\t"
        "vldrw.32 q6, [r1], #16\n\t"
        "vldrw.32 q7, [r1], #16\n\t"
        "mov r9, r6\n\t"
        "cmp r12, #0\n\t"
        "beq 2f\n\t"
        "ldr r4, [r9]\n\t"
        "vpst\n\t"
        "vldrbt.8 q0, [r4], #16\n\t"
        "vldrb.8 q1, [r0], #16\n\t"
        "str r4, [r9], #4\n\t"
        "vmullb.s8 q2, q0, q1\n\t"
        "vmullt.s8 q3, q0, q1\n\t" TINYC_MVE_WIDEN
        "2:\n\t"
        "wls lr, r7, 5f\n\t"
        "cmp r3, #16\n\t"
        "blt 4f\n"
        "3:\n\t" TINYC_MVE_TWO_TAPS("vldrb.8 ")
        "le lr, 3b\n\t"
        "b 5f\n"
        "4:\n\t" TINYC_MVE_TWO_TAPS("vpst\n\tvldrbt.8 ")
        "le lr, 4b\n"
        "5:\n\t"
        "cmp r8, #0\n\t"
        "beq 6f\n\t"
        TINYC_MVE_ONE_STEP_OF("q4")
        TINYC_MVE_ONE_STEP_OF("q5")
        TINYC_MVE_ONE_STEP_OF("q6")
        TINYC_MVE_ONE_STEP_OF("q7")
        TINYC_MVE_NARROW
        "b 7f\n"
        "6:\n\t"
        TINYC_MVE_TWO_STEPS_OF("q4")
        TINYC_MVE_TWO_STEPS_OF("q5")
        TINYC_MVE_TWO_STEPS_OF("q6")
        TINYC_MVE_TWO_STEPS_OF("q7")
        TINYC_MVE_NARROW
        "ldrd r4, r5, [r11, #36]\n\t"
        "vdup.8 q0, r4\n\t"
        "vmax.s8 q2, q2, q0\n\t"
        "vdup.8 q0, r5\n\t"
        "vmin.s8 q2, q2, q0\n"
        "7:\n\t"
        "vpst\n\t"
        "vstrbt.8 q2, [r2], #16\n\t"
        "cmp r0, r10\n\t"
        "bne 8f\n\t"
        "ldrd r0, r1, [r11]\n"
        "8:\n\t"
        "subs r3, r3, #16\n\t"
        "bgt 1b\n\t"
        "vpop {d8-d15}\n\t"
        "pop {r4-r11, pc}");
}

/* Moves `count` pointers by `step` bytes. */
TINYC_INLINE void tinyc_mve_move(const int8_t **taps, int32_t count, int32_t step) {
    const int8_t **at = taps;
    __asm__ volatile(
        "dlstp.32 lr, %1\n"
        "1:\n\t"
        "vldrw.32 q0, [%0]\n\t"
        "vadd.i32 q0, q0, %2\n\t"
        "vstrw.32 q0, [%0], #16\n\t"
        "letp lr, 1b"
        : "+r"(at)
        : "r"(count), "r"(step)
        : "lr", "q0", "memory");
}

#else

#define TINYC_MVE_MOVED(count) 0

TINYC_KERNEL void tinyc_mve_depthwise_run(const struct tinyc_mve_taps *run) {
    const int32_t taps = 2 * run->pairs + run->odd, fields = run->shift == 0 ? 3 : 2;
    const int8_t *weights = run->weights;
    const int32_t *constants = run->constants;
    for (int32_t block = 0; block < run->count; block += 16) {
        for (int32_t lane = 0; lane < 16 && block + lane < run->count; lane++) {
            const int32_t vector = (lane & 1) << 1 | (lane >> 1 & 1);
            const int32_t *const own = constants + 16 + 4 * fields * vector;
            const struct tinyc_mve_rounding rounding = {
                own, own + 4, fields == 3 ? own + 8 : 0, run->shift, run->low, run->high, 4,
            };
            int32_t sum = constants[4 * vector + lane / 4];
            for (int32_t tap = 0; tap < taps; tap++) {
                sum += run->taps[tap][block + lane] * weights[16 * tap + lane];
            }
            run->output[block + lane] = tinyc_mve_output(&rounding, lane / 4, sum);
        }
        weights += 16 * taps;
        constants += 16 + 16 * fields;
        if (weights == run->end) {
            weights = run->weights;
            constants = run->constants;
        }
    }
}

TINYC_INLINE void tinyc_mve_move(const int8_t **taps, int32_t count, int32_t step) {
    for (int32_t tap = 0; tap < count; tap++) {
        taps[tap] += step;
    }
}

#endif

TINYC_INLINE struct tinyc_mve_taps tinyc_mve_taps_of(const struct tinyc_mve_depthwise *layer, int32_t count,
                                                     int8_t *output, const int8_t **taps) {
    const int32_t window = layer->kernel_height * layer->kernel_width;
    const struct tinyc_mve_taps run = {
        .weights = layer->weights,
        .constants = layer->constants,
        .output = output,
        .count = count,
        .pairs = window / 2,
        .shift = layer->shift,
        .taps = taps,
        .odd = window & 1,
        .end = layer->weights + layer->tile,
        .low = layer->low,
        .high = layer->high,
    };
    return run;
}

#endif
