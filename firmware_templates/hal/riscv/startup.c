/*
 * Reset and traps of a RISC-V core in machine mode. It takes over from a bootloader as well as from
 * reset: interrupts off, own stack, own trap handler.
 */
#include <stdint.h>

#include "board.h"
#include "riscv.h"
#include "soc.h"

/* Laid out by the linker script. */
extern uint32_t linker_data_start[], linker_data_end[];
extern const uint32_t linker_data_load[];
extern uint32_t linker_bss_start[], linker_bss_end[];

int main(void);
void tinyc_start(void);
void tinyc_fault_handler(void);

/* The firmware enables no interrupt, so that every trap is a fault. Bare-metal debuggers look for
 * this name; the linker script puts it where mtvec can point to. */
__attribute__((used, noinline, section(".traps"))) void tinyc_fault_handler(void) {
    for (;;) {
        __asm volatile("" ::: "memory");
    }
}

/* Where the core begins: the linker script puts it first. */
__attribute__((naked, noreturn, used, section(".vectors"))) void Reset_Handler(void) {
    __asm volatile(
        "csrwi mstatus, 0\n"
#if SOC_HAS_MIE
        "csrwi mie, 0\n"
#endif
        "la t0, tinyc_fault_handler\n"
        "csrw mtvec, t0\n"
        "la sp, linker_stack_top\n"
        "tail tinyc_start\n");
}

__attribute__((used, noinline)) void tinyc_start(void) {
    const uint32_t *source = linker_data_load;
    for (uint32_t *target = linker_data_start; target < linker_data_end; target++) {
        *target = *source++;
    }
    for (uint32_t *target = linker_bss_start; target < linker_bss_end; target++) {
        *target = 0u;
    }
    main();
    tinyc_fault_handler();
}
