/*
 * The registers of a Cortex-M core that the firmware touches (Architecture Reference Manuals of
 * ARMv6-M, ARMv7-M and ARMv8-M).
 */
#ifndef TINYC_CORTEX_M_H
#define TINYC_CORTEX_M_H

#include <stdint.h>

#include "board.h"
#include "registers.h"

#define SYST_CSR REG32(0xE000E010u)
#define NVIC_ICER(n) REG32(0xE000E180u + 4u * (n))
#define NVIC_ICPR(n) REG32(0xE000E280u + 4u * (n))
#define SCB_ICSR REG32(0xE000ED04u)
#define SCB_VTOR REG32(0xE000ED08u)
#define SCB_AIRCR REG32(0xE000ED0Cu)
#define SCB_CCR REG32(0xE000ED14u)
#define SCB_CPACR REG32(0xE000ED88u)
#define DCB_DEMCR REG32(0xE000EDFCu)
#define DWT_CTRL REG32(0xE0001000u)
#define DWT_CYCCNT REG32(0xE0001004u)

/* Asks the chip for a reset, which comes some cycles later. */
static inline void system_reset(void) {
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = 0x05FA0004u; /* key, SYSRESETREQ */
    __asm volatile("dsb" ::: "memory");
    for (;;) {
        __asm volatile("" ::: "memory");
    }
}

static inline void cycle_counter_start(void) {
#if BOARD_HAS_DWT
    DCB_DEMCR |= 1u << 24; /* TRCENA */
    DWT_CYCCNT = 0u;
    DWT_CTRL |= 1u; /* CYCCNTENA */
#endif
}

static inline uint32_t cycle_counter_read(void) {
#if BOARD_HAS_DWT
    return DWT_CYCCNT;
#else
    return 0u;
#endif
}

#endif
