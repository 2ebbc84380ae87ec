/*
 * What the firmware asks of a RISC-V core in machine mode (Privileged Architecture 1.10).
 */
#ifndef TINYC_RISCV_H
#define TINYC_RISCV_H

#include <stdint.h>

#include "registers.h"

/* The lower half of mcycle, which counts from reset on. */
static inline uint32_t cycle_counter_read(void) {
    uint32_t value;
    __asm volatile("csrr %0, mcycle" : "=r"(value));
    return value;
}

#endif
