/* One row, where the FPU holds some inputs and the loop's state. */
#ifndef TINYC_ROW_FPU_H
#define TINYC_ROW_FPU_H

#include "tinyc_row.h"

#if defined(__ARM_FEATURE_DSP)

/* s16: start of the panel, s17: entry, s18: end of the panel, s19: return address, s20: output, s21: channels
 * left, s22-s25: constants, r12: weights. */

/* Takes the arguments of a kernel, fills s0-s15, the panel and the registers above. */
__attribute__((used)) TINYC_ASSEMBLY void tinyc_row_start(void) {
    __asm__ volatile(
        "vmov s19, lr\n\t"
        "vmov s20, r2\n\t"
        "vmov s16, r3\n\t"
        "mov r12, r0\n\t"
        "mov r0, r1\n\t"
        "mov r1, r3\n\t"
        "ldr r2, [r12, #16]\n\t"
        "ldr r11, [r12, #24]\n\t"
        "bl tinyc_row_widen\n\t"
        "vmov r1, s16\n\t"
        "vldm r1, {s0-s15}\n\t"
        "ldr r2, [r12, #20]\n\t"
        "bl tinyc_row_widen\n\t"
        "vmov r11, s16\n\t"
        "ldmia r12!, {r0-r3}\n\t"
        "add r3, r3, r11\n\t"
        "vmov s17, r2\n\t"
        "vmov s18, r3\n\t"
        "vmov s21, r1\n\t"
        "add r12, r12, #12\n\t"
        "vldm r12, {s22-s25}\n\t"
        "mov r12, r0\n\t"
        "vmov lr, s19\n\t"
        "bx lr");
}

/* clang-format off */
#define TINYC_ROW_HELD_STEP(s0, s1, s2, s3)      \
    "vmov r4, r5, " #s0 ", " #s1 "\n\t"          \
    "vmov r6, r7, " #s2 ", " #s3 "\n\t"          \
    TINYC_ROW_STEP
/* clang-format on */

/* The sums of the next four channels, which begin with their biases in r0-r3: r0, 256 times that of r1, r2,
 * 256 times that of r3. r12 moves on to the constants behind the weights. The carry tells from the entry on
 * whether the panel is empty. */
__attribute__((used)) TINYC_ASSEMBLY void tinyc_row_sums(void) {
    __asm__ volatile(
        "vmov s19, lr\n\t"
        "vmov lr, r4, s16, s17\n\t"
        "lsrs r4, r4, #1\n\t"
        "tbb [pc, r4]\n\t"
        "1:\n\t"
        ".byte (2f - 1b) / 2\n\t"
        ".byte (3f - 1b) / 2\n\t"
        ".byte (4f - 1b) / 2\n\t"
        ".byte (5f - 1b) / 2\n\t"
        "2:\n\t" TINYC_ROW_HELD_STEP(s12, s13, s14, s15)
        "3:\n\t" TINYC_ROW_HELD_STEP(s8, s9, s10, s11)
        "4:\n\t" TINYC_ROW_HELD_STEP(s4, s5, s6, s7)
        "5:\n\t" TINYC_ROW_HELD_STEP(s0, s1, s2, s3)
        "bcs 7f\n\t"
        "6:\n\t" TINYC_ROW_PANEL_STEP TINYC_ROW_PANEL_STEP TINYC_ROW_PANEL_STEP TINYC_ROW_PANEL_STEP
        "vmov r4, s18\n\t"
        "cmp lr, r4\n\t"
        "bne 6b\n\t"
        "7:\n\t"
        "vmov lr, s19\n\t"
        "sub r1, r1, r0\n\t"
        "sub r3, r3, r2\n\t"
        "bx lr");
}

#endif

#endif
