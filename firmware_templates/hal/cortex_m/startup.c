/*
 * Vector table, reset and faults of a Cortex-M. It takes over from a bootloader as well as from
 * reset: interrupts off, main stack, own vector table.
 */
#include <stdint.h>

#include "board.h"
#include "cortex_m.h"
#include "soc.h"

/* Laid out by the linker script. */
extern uint32_t linker_stack_top[];
extern uint32_t linker_data_start[], linker_data_end[];
extern const uint32_t linker_data_load[];
extern uint32_t linker_bss_start[], linker_bss_end[];

int main(void);
void Reset_Handler(void);
void tinyc_start(void);
void tinyc_fault_handler(void);
void tinyc_interrupt_handler(void);

typedef void (*handler_t)(void);

/* Where the chip's soc.h names no handlers. */
#ifndef SOC_VECTORS
#define SOC_VECTORS [0 ... SOC_INTERRUPTS - 1] = tinyc_interrupt_handler
#endif

struct vector_table {
    uint32_t *stack_top;
    handler_t core[15];
    handler_t interrupts[SOC_INTERRUPTS];
};

/* Bare-metal debuggers and emulators look for these two names. */
__attribute__((used, noinline)) void tinyc_fault_handler(void) {
    for (;;) {
        __asm volatile("" ::: "memory");
    }
}

/* The firmware enables no other interrupt than those of SOC_VECTORS, so that one is as fatal as a fault. */
__attribute__((used, noinline)) void tinyc_interrupt_handler(void) {
    for (;;) {
        __asm volatile("nop" ::: "memory");
    }
}

__attribute__((section(".vectors"), used)) const struct vector_table tinyc_vectors = {
    .stack_top = linker_stack_top,
    .core =
        {
            Reset_Handler,           /* 1 reset */
            tinyc_fault_handler,     /* 2 NMI */
            tinyc_fault_handler,     /* 3 hard fault */
            tinyc_fault_handler,     /* 4 memory management */
            tinyc_fault_handler,     /* 5 bus fault */
            tinyc_fault_handler,     /* 6 usage fault */
            0, 0, 0, 0,              /* 7..10 reserved */
            tinyc_interrupt_handler, /* 11 SVCall */
            tinyc_interrupt_handler, /* 12 debug monitor */
            0,                       /* 13 reserved */
            tinyc_interrupt_handler, /* 14 PendSV */
            tinyc_interrupt_handler, /* 15 SysTick */
        },
    .interrupts = {SOC_VECTORS},
};

/* A bootloader may jump here on its own stack, so the stack pointer is set before any C runs. */
__attribute__((naked, noreturn)) void Reset_Handler(void) {
    __asm volatile(
        "cpsid i\n"
        "movs r0, #0\n"
        "msr control, r0\n"
        "isb\n"
        "ldr r0, =linker_stack_top\n"
        "msr msp, r0\n"
        "bl tinyc_start\n");
}

__attribute__((used, noinline)) void tinyc_start(void) {
    SYST_CSR = 0u;
    SCB_ICSR = 1u << 27 | 1u << 25; /* PendSV and SysTick no longer pending */
    for (uint32_t group = 0; group < (SOC_INTERRUPTS + 31u) / 32u; group++) {
        NVIC_ICER(group) = 0xFFFFFFFFu;
        NVIC_ICPR(group) = 0xFFFFFFFFu;
    }
#if !defined(__ARM_ARCH_6M__) || defined(SOC_HAS_VTOR) /* where the table may lie elsewhere than at 0 */
    SCB_VTOR = (uint32_t)(uintptr_t)&tinyc_vectors;
#endif
#if BOARD_HAS_FPU
    SCB_CPACR |= 0xFu << 20; /* full access to the floating-point unit, and to vectors where it has them */
#endif
#if defined(__ARM_FEATURE_MVE)
    SCB_CCR |= 1u << 19; /* LOB: loops remember their branch */
#endif
    __asm volatile("dsb\n isb" ::: "memory");

    const uint32_t *source = linker_data_load;
    for (uint32_t *target = linker_data_start; target < linker_data_end; target++) {
        *target = *source++;
    }
    for (uint32_t *target = linker_bss_start; target < linker_bss_end; target++) {
        *target = 0u;
    }
    __asm volatile("cpsie i" ::: "memory");
    main();
    tinyc_fault_handler();
}
