/*
 * What the firmware asks of a RISC-V core in machine mode (Privileged Architecture 1.10).
 */
#ifndef TINYC_RISCV_H
#define TINYC_RISCV_H

#include <stdint.h>

#include "registers.h"

void Reset_Handler(void);

/* The lower half of mcycle, which counts from reset on. */
static inline uint32_t cycle_counter_read(void) {
    uint32_t value;
    __asm volatile("csrr %0, mcycle" : "=r"(value));
    return value;
}

/* Back to where the firmware begins, where the chip cannot reset itself: as if from a trap that came there. */
static inline void start_again(void) {
    __asm volatile(
        "csrw mepc, %0\n"
        "csrw mstatus, %1\n" /* stays in machine mode */
        "mret\n" ::"r"(Reset_Handler),
        "r"(0x1800u)
        : "memory");
}

#endif
