/* MUL, requantized as `tinyc_binary_output` says. */
#ifndef TINYC_MVE_MUL_H
#define TINYC_MVE_MUL_H

#include "tinyc_mve_binary.h"

#if defined(__ARM_FEATURE_MVE)
TINYC_KERNEL void tinyc_mve_mul_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b,
                                    int8_t *y) {
    __asm__ volatile(
        "vdup.32 q2, %[multiplier]\n\t"
        "vdup.32 q3, %[low]\n\t"
        "vdup.32 q4, %[high]\n\t"
        "dlstp.32 lr, %[count]\n"
        "1:\n\t"
        "vldrb.s32 q0, [%[a]], #4\n\t"
        "vadd.i32 q0, q0, %[first]\n\t"
        "vldrb.s32 q1, [%[b]], #4\n\t"
        "vadd.i32 q1, q1, %[second]\n\t"
        "vmul.i32 q0, q0, q1\n\t"
        "vshl.i32 q0, q0, #1\n\t"
        "vshr.s32 q1, q0, #31\n\t"
        "vrmulh.s32 q0, q0, q2\n\t"
        "vadd.i32 q1, q1, %[offset]\n\t"
        "vadd.i32 q0, q0, q1\n\t"
        "vshl.s32 q0, %[shift]\n\t"
        "vmax.s32 q0, q0, q3\n\t"
        "vmin.s32 q0, q0, q4\n\t"
        "vstrb.32 q0, [%[y]], #4\n\t"
        "letp lr, 1b"
        : [a] "+l"(a), [b] "+l"(b), [y] "+l"(y)
        : [multiplier] "r"(layer->multiplier), [low] "r"(layer->low), [high] "r"(layer->high),
          [first] "r"(layer->first), [second] "r"(layer->second), [offset] "r"(layer->offset),
          [shift] "r"(-layer->shift), [count] "r"(layer->run)
        : "lr", "q0", "q1", "q2", "q3", "q4", "memory");
}
#else
TINYC_KERNEL void tinyc_mve_mul_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b,
                                    int8_t *y) {
    for (int32_t i = 0; i < layer->run; i++) {
        const int32_t x = (a[i] + layer->first) * 2 * (b[i] + layer->second);
        const int64_t product = (int64_t)x * layer->multiplier + ((int64_t)1 << 31);
        const int32_t scaled = (int32_t)(product >> 32) + layer->offset + (x < 0 ? -1 : 0);
        y[i] = (int8_t)tinyc_clamp(scaled >> layer->shift, layer->low, layer->high);
    }
}
#endif

#endif
