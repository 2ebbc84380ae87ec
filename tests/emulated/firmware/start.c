/* Start-up shared by the small firmware of these tests: vectors, memory, FPU, main. */
#include "test.h"

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
extern const void *const vectors[];

void Reset_Handler(void);
void Default_Handler(void);

__attribute__((naked)) void Default_Handler(void) { __asm volatile("bkpt 0xee"); }

#define WEAK __attribute__((weak, alias("Default_Handler")))
WEAK void NMI_Handler(void);
WEAK void SVC_Handler(void);
WEAK void PendSV_Handler(void);
WEAK void SysTick_Handler(void);
WEAK void IRQ0_Handler(void);
WEAK void IRQ1_Handler(void);
WEAK void IRQ2_Handler(void);
WEAK void IRQ8_Handler(void);
WEAK void IRQ9_Handler(void);
WEAK void IRQ17_Handler(void);
WEAK void IRQ37_Handler(void);

#define D Default_Handler
__attribute__((section(".vectors"), used)) const void *const vectors[16 + 48] = {
    stack_top, Reset_Handler, NMI_Handler, D, D, D, D, 0, 0, 0, 0, SVC_Handler, D, 0, PendSV_Handler,
    SysTick_Handler,
    IRQ0_Handler, IRQ1_Handler, IRQ2_Handler, D, D, D, D, D, IRQ8_Handler, IRQ9_Handler, D, D, D, D, D, D,
    D, IRQ17_Handler, D, D, D, D, D, D, D, D, D, D, D, D, D, D,
    D, D, D, D, D, IRQ37_Handler, D, D, D, D, D, D, D, D, D, D,
};

void Reset_Handler(void) {
    for (uint32_t *to = data_start, *from = data_load; to < data_end;) *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
#ifndef NO_FPU
    REG(0xE000ED88) |= 0xFu << 20;
    __asm volatile("dsb\n isb" ::: "memory");
#endif
    main();
    for (;;) __asm volatile("wfi");
}

/* The compiler may call these; a firmware may bring better ones. */
__attribute__((weak)) void *memcpy(void *to, const void *from, unsigned size) {
    uint8_t *t = to;
    const uint8_t *f = from;
    while (size--) *t++ = *f++;
    return to;
}
__attribute__((weak)) void *memset(void *to, int value, unsigned size) {
    uint8_t *t = to;
    while (size--) *t++ = (uint8_t)value;
    return to;
}
