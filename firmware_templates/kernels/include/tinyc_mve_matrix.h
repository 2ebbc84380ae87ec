/* Rows of inputs times a matrix of weights: three rows by two channels at a time.
 *
 * VMLADAVA multiplies 16 inputs by 16 weights and adds the products to a core register; only even registers
 * can be the sum, of which there are seven besides the loop counter. Loops are predicated by their tail: any
 * number of products, without padding. Channels left over are computed together with those before them a
 * second time. */
#ifndef TINYC_MVE_MATRIX_H
#define TINYC_MVE_MATRIX_H

#include "tinyc_mve.h"

/* Channels whose sums wait at a time, and the bytes from a row's sums to the next row's. */
#define TINYC_MVE_PART 124
#define TINYC_MVE_PITCH 496
/* Bytes before the sums, for channels of the part before that are computed again. */
#define TINYC_MVE_HEAD 16

struct tinyc_mve_matrix {
    int32_t rows;
    int32_t depth;    /* products of an output */
    int32_t channels; /* four or more; those behind `outputs` are not written */
    int32_t outputs;
    int32_t pitch; /* from the outputs of a row to those of the next */
    const int8_t *weights; /* [channels][depth] */
    const int32_t *bias;   /* with the input's zero point */
    const int32_t *multiplier, *constant, *right;
    int32_t shift;
    int32_t low, high;
    int32_t step; /* as in `struct tinyc_mve_rounding`, 0 for less than three rows only */
};

/* Arguments of the assembly, in the order in which it loads them. */
struct tinyc_mve_block {
    const int8_t *x0, *x1, *x2;
    int32_t depth;
    int32_t behind; /* from `depth` to the next multiple of 16 */
    const int8_t *weights;
    int32_t *sums, *end; /* where those of the first channel go, and behind the last one's */
    const int32_t *bias; /* of the first channel, for one row; others get it with the rounding */
};

#if defined(__ARM_FEATURE_MVE)

/* Sums of three rows for pairs of channels; more than 32 products. */
TINYC_MVE_NAKED void tinyc_mve_three_long_rows(const struct tinyc_mve_block *block TINYC_MVE_UNUSED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "ldmia r0, {r1-r5, r7, r11, r12}\n\t"
        "add r9, r7, r4\n\t"
        "sub r6, r4, r5\n\t"
        "sub r4, r4, #16\n\t"
        "push {r1-r6}\n"
        "1:\n\t"
        "ldrd r1, r3, [sp]\n\t"
        "ldrd r5, lr, [sp, #8]\n\t"
        "vldrb.8 q0, [r7], #16\n\t"
        "vldrb.8 q1, [r1], #16\n\t"
        "vmladav.s8 r0, q0, q1\n\t"
        "vldrb.8 q2, [r9], #16\n\t"
        "vmladav.s8 r2, q2, q1\n\t"
        "vldrb.8 q3, [r3], #16\n\t"
        "vmladav.s8 r4, q0, q3\n\t"
        "vldrb.8 q1, [r5], #16\n\t"
        "vmladav.s8 r6, q2, q3\n\t"
        "vmladav.s8 r8, q0, q1\n\t"
        "vmladav.s8 r10, q2, q1\n\t"
        "dlstp.8 lr, lr\n"
        "2:\n\t"
        "vldrb.8 q0, [r7], #16\n\t"
        "vldrb.8 q1, [r1], #16\n\t"
        "vmladava.s8 r0, q0, q1\n\t"
        "vldrb.8 q2, [r9], #16\n\t"
        "vmladava.s8 r2, q2, q1\n\t"
        "vldrb.8 q3, [r3], #16\n\t"
        "vmladava.s8 r4, q0, q3\n\t"
        "vldrb.8 q1, [r5], #16\n\t"
        "vmladava.s8 r6, q2, q3\n\t"
        "vmladava.s8 r8, q0, q1\n\t"
        "vmladava.s8 r10, q2, q1\n\t"
        "letp lr, 2b\n\t"
        "strd r4, r6, [r11, #" TINYC_MVE_NUMBER(TINYC_MVE_PITCH) "]\n\t"
        "strd r8, r10, [r11, #2 * " TINYC_MVE_NUMBER(TINYC_MVE_PITCH) "]\n\t"
        "strd r0, r2, [r11], #8\n\t"
        "ldrd r1, r3, [sp, #16]\n\t"
        "sub r7, r9, r1\n\t"
        "add r9, r9, r3\n\t"
        "cmp r11, r12\n\t"
        "bne 1b\n\t"
        "add sp, sp, #24\n\t"
        "pop {r4-r11, pc}");
}

/* The same for 17 to 32 products: the rows stay in registers. */
TINYC_MVE_NAKED void tinyc_mve_three_middle_rows(const struct tinyc_mve_block *block TINYC_MVE_UNUSED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "vpush {d8-d15}\n\t"
        "ldmia r0, {r1-r5, r7, r11, r12}\n\t"
        "sub r6, r4, #16\n\t"
        "vctp.8 r6\n\t"
        "vldrb.8 q1, [r1]\n\t"
        "vldrb.8 q3, [r2]\n\t"
        "vldrb.8 q5, [r3]\n\t"
        "vpsttt\n\t"
        "vldrbt.8 q2, [r1, #16]\n\t"
        "vldrbt.8 q4, [r2, #16]\n\t"
        "vldrbt.8 q6, [r3, #16]\n\t"
        "mov r1, r4\n\t"
        "sub lr, r12, r11\n\t"
        "lsr lr, lr, #3\n\t"
        "dls lr, lr\n"
        "1:\n\t"
        "add r9, r7, r1\n\t"
        "vldrb.8 q0, [r7]\n\t"
        "vmladav.s8 r0, q0, q1\n\t"
        "vldrb.8 q7, [r9]\n\t"
        "vmladav.s8 r2, q7, q1\n\t"
        "vmladav.s8 r4, q0, q3\n\t"
        "vmladav.s8 r6, q7, q3\n\t"
        "vmladav.s8 r8, q0, q5\n\t"
        "vmladav.s8 r10, q7, q5\n\t"
        "vpstt\n\t"
        "vldrbt.8 q0, [r7, #16]\n\t"
        "vldrbt.8 q7, [r9, #16]\n\t"
        "add r7, r9, r1\n\t"
        "vmladava.s8 r0, q0, q2\n\t"
        "vmladava.s8 r2, q7, q2\n\t"
        "vmladava.s8 r4, q0, q4\n\t"
        "vmladava.s8 r6, q7, q4\n\t"
        "vmladava.s8 r8, q0, q6\n\t"
        "vmladava.s8 r10, q7, q6\n\t"
        "strd r0, r2, [r11], #8\n\t"
        "strd r4, r6, [r11, #" TINYC_MVE_NUMBER(TINYC_MVE_PITCH) " - 8]\n\t"
        "strd r8, r10, [r11, #2 * " TINYC_MVE_NUMBER(TINYC_MVE_PITCH) " - 8]\n\t"
        "le lr, 1b\n\t"
        "vpop {d8-d15}\n\t"
        "pop {r4-r11, pc}");
}

/* The same for up to 16 products. */
TINYC_MVE_NAKED void tinyc_mve_three_short_rows(const struct tinyc_mve_block *block TINYC_MVE_UNUSED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "vpush {d8-d9}\n\t"
        "ldmia r0, {r1-r5, r7, r11, r12}\n\t"
        "vctp.8 r4\n\t"
        "vpsttt\n\t"
        "vldrbt.8 q1, [r1]\n\t"
        "vldrbt.8 q2, [r2]\n\t"
        "vldrbt.8 q3, [r3]\n\t"
        "mov r1, r4\n\t"
        "sub lr, r12, r11\n\t"
        "lsr lr, lr, #3\n\t"
        "dls lr, lr\n"
        "1:\n\t"
        "add r9, r7, r1\n\t"
        "vpstt\n\t"
        "vldrbt.8 q0, [r7]\n\t"
        "vldrbt.8 q4, [r9]\n\t"
        "add r7, r9, r1\n\t"
        "vmladav.s8 r0, q0, q1\n\t"
        "vmladav.s8 r2, q4, q1\n\t"
        "vmladav.s8 r4, q0, q2\n\t"
        "vmladav.s8 r6, q4, q2\n\t"
        "vmladav.s8 r8, q0, q3\n\t"
        "vmladav.s8 r10, q4, q3\n\t"
        "strd r0, r2, [r11], #8\n\t"
        "strd r4, r6, [r11, #" TINYC_MVE_NUMBER(TINYC_MVE_PITCH) " - 8]\n\t"
        "strd r8, r10, [r11, #2 * " TINYC_MVE_NUMBER(TINYC_MVE_PITCH) " - 8]\n\t"
        "le lr, 1b\n\t"
        "vpop {d8-d9}\n\t"
        "pop {r4-r11, pc}");
}

TINYC_INLINE void tinyc_mve_three_rows(const struct tinyc_mve_block *block) {
    if (block->depth > 32) {
        tinyc_mve_three_long_rows(block);
    } else if (block->depth > 16) {
        tinyc_mve_three_middle_rows(block);
    } else {
        tinyc_mve_three_short_rows(block);
    }
}

/* clang-format off */
#define TINYC_MVE_ONE_STEP(q, to)                  \
    "vmulh.s32 " q ", " q ", q0\n\t"               \
    "vadd.i32 " q ", " q ", q1\n\t"                \
    "vshl.s32 " q ", r8\n\t"                       \
    "vqmovnb.s32 " q ", " q "\n\t"                 \
    "vqmovnb.s16 " q ", " q "\n\t"                 \
    "vstrb.32 " q ", [" to "], #4\n\t"
#define TINYC_MVE_TWO_STEPS(q, sign, to)           \
    "vshr.s32 " sign ", " q ", #31\n\t"            \
    "vqrdmulh.s32 " q ", " q ", q0\n\t"            \
    "vadd.i32 " sign ", " sign ", q1\n\t"          \
    "vadd.i32 " q ", " q ", " sign "\n\t"          \
    "vshl.s32 " q ", " q ", q2\n\t"                \
    "vmax.s32 " q ", " q ", q6\n\t"                \
    "vmin.s32 " q ", " q ", q7\n\t"                \
    "vstrb.32 " q ", [" to "], #4\n\t"
/* r5: multipliers, r6: constants, r7: right shifts, r8: the shift; low and high go to q6 and q7. */
#define TINYC_MVE_ROUNDING(at)                     \
    "ldmia " at ", {r5-r8, r12, lr}\n\t"           \
    "cbnz r7, 3f\n\t"
/* clang-format on */

/* Outputs of three rows, `step` bytes from one to the next; their sums, which lie TINYC_MVE_PITCH apart, lack
 * the biases. */
TINYC_MVE_NAKED void tinyc_mve_three_outputs(const struct tinyc_mve_rounding *rounding TINYC_MVE_UNUSED,
                                             const int32_t *sums TINYC_MVE_UNUSED,
                                             int8_t *output TINYC_MVE_UNUSED, int32_t count TINYC_MVE_UNUSED,
                                             int32_t step TINYC_MVE_UNUSED,
                                             const int32_t *bias TINYC_MVE_UNUSED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "vpush {d8-d15}\n\t"
        "ldrd r12, r11, [sp, #100]\n\t"
        "mov r9, r0\n\t"
        "add r4, r2, r12\n\t"
        "add r0, r4, r12\n\t" /* narrowing stores need a low register */
        "add r10, r1, #" TINYC_MVE_NUMBER(TINYC_MVE_PITCH) "\n\t"
        TINYC_MVE_ROUNDING("r9")
        "add r9, r10, #" TINYC_MVE_NUMBER(TINYC_MVE_PITCH) "\n\t"
        "dlstp.32 lr, r3\n"
        "1:\n\t"
        "vldrw.32 q0, [r5], #16\n\t"
        "vldrw.32 q1, [r6], #16\n\t"
        "vldrw.32 q5, [r11], #16\n\t"
        "vldrw.32 q2, [r1], #16\n\t"
        "vadd.i32 q2, q2, q5\n\t"
        "vldrw.32 q3, [r10], #16\n\t"
        TINYC_MVE_ONE_STEP("q2", "r2")
        "vadd.i32 q3, q3, q5\n\t"
        "vldrw.32 q4, [r9], #16\n\t"
        TINYC_MVE_ONE_STEP("q3", "r4")
        "vadd.i32 q4, q4, q5\n\t"
        TINYC_MVE_ONE_STEP("q4", "r0")
        "letp lr, 1b\n\t"
        "b 5f\n"
        "3:\n\t"
        "add r9, r10, #" TINYC_MVE_NUMBER(TINYC_MVE_PITCH) "\n\t"
        "vdup.32 q6, r12\n\t"
        "vdup.32 q7, lr\n\t"
        "dlstp.32 lr, r3\n"
        "4:\n\t"
        "vldrw.32 q0, [r5], #16\n\t"
        "vldrw.32 q1, [r6], #16\n\t"
        "vldrw.32 q5, [r11], #16\n\t"
        "vldrw.32 q2, [r7], #16\n\t"
        "vldrw.32 q3, [r1], #16\n\t"
        "vadd.i32 q3, q3, q5\n\t"
        TINYC_MVE_TWO_STEPS("q3", "q4", "r2")
        "vldrw.32 q3, [r10], #16\n\t"
        "vadd.i32 q3, q3, q5\n\t"
        TINYC_MVE_TWO_STEPS("q3", "q4", "r4")
        "vldrw.32 q3, [r9], #16\n\t"
        "vadd.i32 q3, q3, q5\n\t"
        TINYC_MVE_TWO_STEPS("q3", "q4", "r0")
        "letp lr, 4b\n"
        "5:\n\t"
        "vpop {d8-d15}\n\t"
        "pop {r4-r11, pc}");
}

#else

TINYC_INLINE int32_t tinyc_mve_dot(const int8_t *x, const int8_t *weights, int32_t depth) {
    uint32_t sum = 0u;
    for (int32_t i = 0; i < depth; i++) {
        sum += (uint32_t)(x[i] * weights[i]);
    }
    return (int32_t)sum;
}

TINYC_KERNEL void tinyc_mve_three_rows(const struct tinyc_mve_block *block) {
    const int8_t *const x[3] = {block->x0, block->x1, block->x2};
    for (int32_t channel = 0; block->sums + channel != block->end; channel++) {
        const int8_t *const weights = block->weights + channel * block->depth;
        for (int32_t row = 0; row < 3; row++) {
            block->sums[row * (TINYC_MVE_PITCH / 4) + channel] = tinyc_mve_dot(x[row], weights, block->depth);
        }
    }
}

TINYC_KERNEL void tinyc_mve_three_outputs(const struct tinyc_mve_rounding *rounding, const int32_t *sums,
                                          int8_t *output, int32_t count, int32_t step, const int32_t *bias) {
    for (int32_t row = 0; row < 3; row++, sums += TINYC_MVE_PITCH / 4, output += step) {
        for (int32_t i = 0; i < count; i++) {
            output[i] = tinyc_mve_output(rounding, i, sums[i] + bias[i]);
        }
    }
}

#endif

/* A matrix and a part of its channels, ready to be multiplied: all of them, if they are not too many. */
struct tinyc_mve_product {
    const struct tinyc_mve_matrix *matrix;
    int32_t *sums;
    struct tinyc_mve_block block;
    struct tinyc_mve_rounding rounding;
    int32_t first, end, outputs;
    int32_t is_simple; /* all channels, an even number, are one part */
};

/* Channels from `first` to `end`. */
TINYC_INLINE void tinyc_mve_channels(struct tinyc_mve_product *product, int32_t first, int32_t end) {
    const struct tinyc_mve_matrix *const matrix = product->matrix;
    product->block.weights = matrix->weights + first * matrix->depth;
    product->block.sums = product->sums + (first - product->first);
    product->block.end = product->sums + (end - product->first);
    product->block.bias = matrix->bias + first;
}

/* The part that begins with channel `first`. */
TINYC_INLINE void tinyc_mve_part(struct tinyc_mve_product *product, int32_t first) {
    const struct tinyc_mve_matrix *const matrix = product->matrix;
    const int32_t channels = matrix->channels, outputs = matrix->outputs - first;
    product->first = first;
    product->end = first + TINYC_MVE_PART < channels ? first + TINYC_MVE_PART : channels;
    product->outputs = outputs < TINYC_MVE_PART ? outputs : TINYC_MVE_PART;
    const int32_t entry = matrix->step == 0 ? 0 : first;
    product->rounding.multiplier = matrix->multiplier + entry;
    product->rounding.constant = matrix->constant + entry;
    product->rounding.right = matrix->right == 0 ? 0 : matrix->right + entry;
}

TINYC_INLINE struct tinyc_mve_product tinyc_mve_product_of(const struct tinyc_mve_matrix *matrix,
                                                           int32_t *sums) {
    struct tinyc_mve_product product = {
        .matrix = matrix,
        .sums = sums,
        .block = {.depth = matrix->depth, .behind = -matrix->depth & 15},
        .rounding = {.shift = matrix->shift, .low = matrix->low, .high = matrix->high, .step = matrix->step},
    };
    tinyc_mve_part(&product, 0);
    tinyc_mve_channels(&product, 0, product.end);
    product.is_simple = product.end == matrix->channels && (product.end & 1) == 0;
    return product;
}

/* Three rows of inputs, `step` bytes apart. */
TINYC_KERNEL void tinyc_mve_three(struct tinyc_mve_product *product, const int8_t *x, int32_t step,
                                  int8_t *output) {
    const int32_t outputs = product->matrix->outputs;
    product->block.x0 = x;
    product->block.x1 = x + step;
    product->block.x2 = x + 2 * step;
    if (product->is_simple) {
        tinyc_mve_three_rows(&product->block);
        tinyc_mve_three_outputs(&product->rounding, product->sums, output, outputs, product->matrix->pitch,
                                product->matrix->bias);
        return;
    }
    for (int32_t first = 0; first < outputs; first += TINYC_MVE_PART) {
        tinyc_mve_part(product, first);
        const int32_t end = product->end, even = (end - first) & ~1;
        if (even != 0) {
            tinyc_mve_channels(product, first, first + even);
            tinyc_mve_three_rows(&product->block);
        }
        if (first + even != end) {
            tinyc_mve_channels(product, end - 2, end);
            tinyc_mve_three_rows(&product->block);
        }
        tinyc_mve_three_outputs(&product->rounding, product->sums, output + first, product->outputs,
                                product->matrix->pitch, product->matrix->bias + first);
    }
}

#endif
