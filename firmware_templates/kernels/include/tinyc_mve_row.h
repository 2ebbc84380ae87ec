/* One row of inputs times a matrix, four channels at a time: what three rows at a time leave over. */
#ifndef TINYC_MVE_ROW_H
#define TINYC_MVE_ROW_H

#include "tinyc_mve_matrix.h"

#if defined(__ARM_FEATURE_MVE)

/* Sums of one row, x0, for four channels at a time, with their biases. */
TINYC_MVE_NAKED void tinyc_mve_one_row(const struct tinyc_mve_block *block TINYC_MVE_UNUSED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "ldmia r0, {r1-r5, r7, r11, r12}\n\t"
        "mov r8, r5\n\t"
        "mov r10, r12\n\t"
        "ldr r12, [r0, #32]\n\t"
        "push {r1, r4}\n\t"
        "mov r3, r7\n"
        "1:\n\t"
        "ldrd r1, lr, [sp]\n\t"
        "ldmia r12!, {r0, r2, r4, r6}\n\t"
        "add r5, r3, lr\n\t"
        "add r7, r5, lr\n\t"
        "add r9, r7, lr\n\t"
        "dlstp.8 lr, lr\n"
        "2:\n\t"
        "vldrb.8 q0, [r1], #16\n\t"
        "vldrb.8 q1, [r3], #16\n\t"
        "vmladava.s8 r0, q0, q1\n\t"
        "vldrb.8 q2, [r5], #16\n\t"
        "vmladava.s8 r2, q0, q2\n\t"
        "vldrb.8 q1, [r7], #16\n\t"
        "vmladava.s8 r4, q0, q1\n\t"
        "vldrb.8 q2, [r9], #16\n\t"
        "vmladava.s8 r6, q0, q2\n\t"
        "letp lr, 2b\n\t"
        "stmia r11!, {r0, r2, r4, r6}\n\t"
        "sub r3, r9, r8\n\t"
        "cmp r11, r10\n\t"
        "bne 1b\n\t"
        "add sp, sp, #8\n\t"
        "pop {r4-r11, pc}");
}

/* Outputs of one row of `count` sums. */
TINYC_MVE_NAKED void tinyc_mve_row_outputs(const struct tinyc_mve_rounding *rounding TINYC_MVE_UNUSED,
                                           const int32_t *sums TINYC_MVE_UNUSED,
                                           int8_t *output TINYC_MVE_UNUSED, int32_t count TINYC_MVE_UNUSED) {
    __asm__ volatile(
        "push {r4-r8, lr}\n\t"
        "ldr r4, [r0, #24]\n\t"
        "lsl r4, r4, #2\n\t"
        TINYC_MVE_ROUNDING("r0")
        "dlstp.32 lr, r3\n"
        "1:\n\t"
        "vldrw.32 q0, [r5]\n\t"
        "add r5, r5, r4\n\t"
        "vldrw.32 q1, [r6]\n\t"
        "add r6, r6, r4\n\t"
        "vldrw.32 q2, [r1], #16\n\t"
        TINYC_MVE_ONE_STEP("q2", "r2")
        "letp lr, 1b\n\t"
        "pop {r4-r8, pc}\n"
        "3:\n\t"
        "vpush {d8-d15}\n\t"
        "vdup.32 q6, r12\n\t"
        "vdup.32 q7, lr\n\t"
        "dlstp.32 lr, r3\n"
        "4:\n\t"
        "vldrw.32 q0, [r5]\n\t"
        "add r5, r5, r4\n\t"
        "vldrw.32 q1, [r6]\n\t"
        "add r6, r6, r4\n\t"
        "vldrw.32 q2, [r7]\n\t"
        "add r7, r7, r4\n\t"
        "vldrw.32 q3, [r1], #16\n\t"
        TINYC_MVE_TWO_STEPS("q3", "q4", "r2")
        "letp lr, 4b\n\t"
        "vpop {d8-d15}\n\t"
        "pop {r4-r8, pc}");
}

#else

TINYC_KERNEL void tinyc_mve_one_row(const struct tinyc_mve_block *block) {
    for (int32_t channel = 0; block->sums + channel != block->end; channel++) {
        const int8_t *const weights = block->weights + channel * block->depth;
        block->sums[channel] = block->bias[channel] + tinyc_mve_dot(block->x0, weights, block->depth);
    }
}

TINYC_KERNEL void tinyc_mve_row_outputs(const struct tinyc_mve_rounding *rounding, const int32_t *sums,
                                        int8_t *output, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        output[i] = tinyc_mve_output(rounding, rounding->step == 0 ? 0 : i, sums[i]);
    }
}

#endif

/* One row. */
TINYC_KERNEL void tinyc_mve_one(struct tinyc_mve_product *product, const int8_t *x, int8_t *output) {
    const int32_t outputs = product->matrix->outputs;
    product->block.x0 = x;
    for (int32_t first = 0; first < outputs; first += TINYC_MVE_PART) {
        tinyc_mve_part(product, first);
        const int32_t end = product->end, fours = (end - first) & ~3;
        if (fours != 0) {
            tinyc_mve_channels(product, first, first + fours);
            tinyc_mve_one_row(&product->block);
        }
        if (first + fours != end) {
            tinyc_mve_channels(product, end - 4, end);
            tinyc_mve_one_row(&product->block);
        }
        tinyc_mve_row_outputs(&product->rounding, product->sums, output + first, product->outputs);
    }
}

#endif
