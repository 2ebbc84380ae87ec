#ifndef TINYC_ATTENTION_M4_H
#define TINYC_ATTENTION_M4_H

#include "attention.h"
#include "tinyc_tile_m4.h"

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FP)
/* As tinyc_dot_bytes, for a panel of pairs in their order and a and b of int16. */
TINYC_ASSEMBLY void tinyc_dot_halfwords(const void *panel TINYC_UNUSED, const int16_t *a TINYC_UNUSED,
                                        const int16_t *b TINYC_UNUSED, int32_t chunks TINYC_UNUSED,
                                        int32_t *sums TINYC_UNUSED) {
    __asm__ volatile(
        TINYC_DOT_BEGIN
        "ldrd r8, r9, [sp]\n\t"
        "vldm r8!, {s0-s7}\n\t"
        "vldm r9!, {s8-s15}\n\t"
        "strd r8, r9, [sp]\n\t"
#define TINYC_DOT(low, high)                                                                                           \
    "vmov r12, " low "\n\t"                                                                                            \
    "ldm lr!, {r8-r11}\n\t"                                                                                            \
    "smlad r0, r12, r8, r0\n\t"                                                                                        \
    "smlad r1, r12, r9, r1\n\t"                                                                                        \
    "smlad r2, r12, r10, r2\n\t"                                                                                       \
    "smlad r3, r12, r11, r3\n\t"                                                                                       \
    "vmov r12, " high "\n\t"                                                                                           \
    "smlad r4, r12, r8, r4\n\t"                                                                                        \
    "smlad r5, r12, r9, r5\n\t"                                                                                        \
    "smlad r6, r12, r10, r6\n\t"                                                                                       \
    "smlad r7, r12, r11, r7\n\t"
        TINYC_DOT("s0", "s8") TINYC_DOT("s1", "s9") TINYC_DOT("s2", "s10") TINYC_DOT("s3", "s11")
        TINYC_DOT("s4", "s12") TINYC_DOT("s5", "s13") TINYC_DOT("s6", "s14") TINYC_DOT("s7", "s15")
#undef TINYC_DOT
        TINYC_DOT_END);
}
#else
TINYC_KERNEL void tinyc_dot_halfwords(const void *panel, const int16_t *a, const int16_t *b, int32_t chunks,
                                      int32_t *sums) {
    const int16_t *x = panel;
    for (int32_t row = 0; row < 4; row++) {
        uint32_t low = 0, high = 0;
        for (int32_t i = 0; i < chunks * TINYC_CHUNK; i++) {
            const int32_t value = x[i / 2 * 8 + row * 2 + i % 2];
            low += (uint32_t)(a[i] * value);
            high += (uint32_t)(b[i] * value);
        }
        sums[row] = (int32_t)low;
        sums[row + 4] = (int32_t)high;
    }
}
#endif

#endif
