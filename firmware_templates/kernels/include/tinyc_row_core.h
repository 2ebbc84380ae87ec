/* One row, where all inputs are in the panel and the loop's state on the stack. */
#ifndef TINYC_ROW_CORE_H
#define TINYC_ROW_CORE_H

#include "tinyc_row.h"

#if defined(__ARM_FEATURE_DSP)

/* Words of the caller's stack: the panel, entry, end of the panel, output, channels left, return address, four
 * constants. r12: weights. */

/* Takes the arguments of a kernel, fills the panel and the words above. */
__attribute__((used)) TINYC_ASSEMBLY void tinyc_row_start_core(void) {
    __asm__ volatile(
        "str r3, [sp]\n\t"
        "strd r2, lr, [sp, #16]\n\t"
        "str r2, [sp, #12]\n\t"
        "mov r12, r0\n\t"
        "mov r0, r1\n\t"
        "mov r1, r3\n\t"
        "ldrd r2, r11, [r12, #20]\n\t"
        "bl tinyc_row_widen\n\t"
        "ldmia r12!, {r0-r3}\n\t"
        "ldr r11, [sp]\n\t"
        "add r3, r3, r11\n\t"
        "strd r2, r3, [sp, #4]\n\t"
        "str r1, [sp, #16]\n\t"
        "add r12, r12, #12\n\t"
        "ldmia r12, {r4-r7}\n\t"
        "strd r4, r5, [sp, #24]\n\t"
        "strd r6, r7, [sp, #32]\n\t"
        "mov r12, r0\n\t"
        "ldr lr, [sp, #20]\n\t"
        "bx lr");
}

/* As `tinyc_row_sums`. */
__attribute__((used)) TINYC_ASSEMBLY void tinyc_row_sums_core(void) {
    __asm__ volatile(
        "str lr, [sp, #20]\n\t"
        "ldr lr, [sp]\n\t"
        "ldr r4, [sp, #4]\n\t"
        "tbb [pc, r4]\n\t"
        "1:\n\t"
        ".byte (2f - 1b) / 2\n\t"
        ".byte (3f - 1b) / 2\n\t"
        ".byte (4f - 1b) / 2\n\t"
        ".byte (5f - 1b) / 2\n\t"
        "2:\n\t" TINYC_ROW_PANEL_STEP
        "3:\n\t" TINYC_ROW_PANEL_STEP
        "4:\n\t" TINYC_ROW_PANEL_STEP
        "5:\n\t" TINYC_ROW_PANEL_STEP
        "ldr r4, [sp, #8]\n\t"
        "cmp lr, r4\n\t"
        "bne 2b\n\t"
        "ldr lr, [sp, #20]\n\t"
        "sub r1, r1, r0\n\t"
        "sub r3, r3, r2\n\t"
        "bx lr");
}

#endif

#endif
