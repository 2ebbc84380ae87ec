/* ADD and SUB as one linear function of both operands. */
#ifndef TINYC_MVE_ADD_H
#define TINYC_MVE_ADD_H

#include "tinyc_mve_binary.h"

/* As `tinyc_add_linear_run`, clamped to the activation: a factor times an element of eight fraction bits more
 * is the upper word of its product with 2^24 times the element. */
#if defined(__ARM_FEATURE_MVE)
TINYC_KERNEL void tinyc_mve_add_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b,
                                    int8_t *y) {
    __asm__ volatile(
        "vdup.32 q2, %[first]\n\t"
        "vdup.32 q3, %[second]\n\t"
        "vdup.32 q4, %[low]\n\t"
        "vdup.32 q5, %[high]\n\t"
        "dlstp.32 lr, %[count]\n"
        "1:\n\t"
        "vldrb.s32 q0, [%[a]], #4\n\t"
        "vshl.i32 q0, q0, #24\n\t"
        "vldrb.s32 q1, [%[b]], #4\n\t"
        "vmulh.s32 q0, q0, q2\n\t"
        "vshl.i32 q1, q1, #24\n\t"
        "vmulh.s32 q1, q1, q3\n\t"
        "vadd.i32 q0, q0, %[offset]\n\t"
        "vadd.i32 q0, q0, q1\n\t"
        "vshr.s32 q0, q0, #20\n\t"
        "vmax.s32 q0, q0, q4\n\t"
        "vmin.s32 q0, q0, q5\n\t"
        "vstrb.32 q0, [%[y]], #4\n\t"
        "letp lr, 1b"
        : [a] "+l"(a), [b] "+l"(b), [y] "+l"(y)
        : [first] "r"(layer->first), [second] "r"(layer->second), [low] "r"(layer->low),
          [high] "r"(layer->high), [offset] "r"(layer->offset), [count] "r"(layer->run)
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "memory");
}
#else
TINYC_KERNEL void tinyc_mve_add_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b,
                                    int8_t *y) {
    for (int32_t i = 0; i < layer->run; i++) {
        const int32_t first = (int32_t)((int64_t)layer->first * a[i] >> 8);
        const int32_t second = (int32_t)((int64_t)layer->second * b[i] >> 8);
        y[i] = (int8_t)tinyc_clamp((first + layer->offset + second) >> 20, layer->low, layer->high);
    }
}
#endif

#endif
