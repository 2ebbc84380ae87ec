/* SysTick, TIMER0, nested priorities, masks, SVC, PendSV, both stacks, FPU context. */
#include "test.h"
volatile uint32_t result[16];
static volatile uint32_t order;

static uint32_t ipsr(void) {
    uint32_t value;
    __asm volatile("mrs %0, ipsr" : "=r"(value));
    return value;
}
static void note(uint32_t digit) { order = order * 16 + digit; }

#define PEND(n) (REG(0xE000E200) = 1u << (n))
#define PRIORITY(n, p) (BYTE(0xE000E400 + (n)) = (uint8_t)(p))

void SysTick_Handler(void) {
    if (++result[0] == 3) REG(0xE000ED10) = 0; /* SLEEPONEXIT off */
    result[15] = ipsr();
}

void IRQ8_Handler(void) { /* TIMER0 */
    REG(0x40008140) = 0;
    result[1]++;
}

void IRQ0_Handler(void) { /* low priority, interrupted by 2 */
    note(1);
    PEND(2);
    __asm volatile("dsb\n isb");
    note(3);
}
void IRQ2_Handler(void) { note(2); }
void PendSV_Handler(void) { note(6); }
void SVC_Handler(void) {
    result[3]++;
    REG(0xE000ED04) = 1u << 28; /* PendSV */
    note(5);
    /* spoil the FPU registers and the flags: the frame must bring them back */
    __asm volatile("vmov.f32 s0, #4.0\n vmov.f32 s15, #8.0\n cmp r0, r0" ::: "s0", "s15", "cc");
}

/* Registers survive an exception: returns 1 when all that were set are still there. */
__attribute__((naked, noinline)) uint32_t survive(void) {
    __asm volatile(
        "push {r4-r11, lr}\n"
        "vmov.f32 s0, #1.0\n vmov.f32 s15, #2.0\n"
        "movs r0, #10\n movs r1, #11\n movs r2, #12\n movs r3, #13\n movs r4, #14\n mov r12, #15\n"
        "cmp r0, r1\n" /* N set, C clear */
        "svc 7\n"
        "bpl 9f\n bcs 9f\n"
        "cmp r0, #10\n bne 9f\n cmp r1, #11\n bne 9f\n cmp r2, #12\n bne 9f\n cmp r3, #13\n bne 9f\n"
        "cmp r4, #14\n bne 9f\n cmp r12, #15\n bne 9f\n"
        "vmov.f32 s1, #1.0\n vcmp.f32 s0, s1\n vmrs APSR_nzcv, fpscr\n bne 9f\n"
        "vmov.f32 s1, #2.0\n vcmp.f32 s15, s1\n vmrs APSR_nzcv, fpscr\n bne 9f\n"
        "movs r0, #1\n pop {r4-r11, pc}\n"
        "9: movs r0, #0\n pop {r4-r11, pc}\n");
}

static uint32_t process_stack[256] __attribute__((aligned(8)));

int main(void) {
    /* SysTick: three periods of 1000 cycles, asleep in between */
    REG(0xE000E014) = 999;
    REG(0xE000E018) = 0;
    REG(0xE000E010) = 7;
    while (result[0] < 3) sleep();
    REG(0xE000E010) = 0;

    /* TIMER0: 1 MHz, compare at 100, cleared by the compare: five rounds */
    REG(0x40008508) = 3;
    REG(0x40008510) = 4;
    REG(0x40008540) = 100;
    REG(0x40008200) = 1;
    REG(0x40008304) = 1u << 16;
    enable_interrupt(8);
    REG(0x40008000) = 1;
    while (result[1] < 5) sleep();
    REG(0x40008004) = 1;

    /* nested priorities: expect 1 2 3 */
    PRIORITY(0, 0x80);
    PRIORITY(2, 0x40);
    BYTE(0xE000ED22) = 0xE0; /* PendSV lowest */
    BYTE(0xE000ED1F) = 0xC0; /* SVC */
    enable_interrupt(0);
    enable_interrupt(2);
    PEND(0);
    __asm volatile("dsb\n isb" ::: "memory");
    result[4] = order;

    /* PRIMASK holds it back, cpsie lets it through: expect 4 1 2 3 */
    order = 0;
    __asm volatile("cpsid i" ::: "memory");
    PEND(0);
    __asm volatile("dsb\n isb" ::: "memory");
    note(4);
    sleep(); /* wakes although masked */
    __asm volatile("cpsie i\n nop" ::: "memory");
    result[5] = order;

    /* BASEPRI 0x60 lets only 2 through: expect 2 4 1 2 3 */
    order = 0;
    __asm volatile("msr basepri, %0" ::"r"(0x60) : "memory");
    PEND(0);
    PEND(2);
    __asm volatile("dsb\n isb" ::: "memory");
    note(4);
    __asm volatile("msr basepri, %0\n nop" ::"r"(0) : "memory");
    result[6] = order;

    /* SVC with FPU context, then PendSV after it: expect 5 6 */
    order = 0;
    result[7] = survive();
    result[8] = order;

    /* the same on the process stack */
    order = 0;
    __asm volatile("msr psp, %0\n movs r3, #2\n msr control, r3\n isb" ::"r"(process_stack + 256) : "r3", "memory");
    uint32_t survived = survive();
    uint32_t control;
    __asm volatile("mrs %0, control" : "=r"(control));
    __asm volatile("movs r3, #0\n msr control, r3\n isb" ::: "r3", "memory");
    result[9] = survived;
    result[10] = control & 3;
    result[11] = order;
    result[12] = ipsr();

    /* SEV; WFE must not sleep, a second WFE sleeps until SysTick */
    result[0] = 0;
    __asm volatile("sev\n wfe" ::: "memory");
    result[13] = result[0];
    REG(0xE000E018) = 0;
    REG(0xE000E010) = 7;
    __asm volatile("wfe" ::: "memory");
    if (!result[0]) __asm volatile("wfe" ::: "memory");
    REG(0xE000E010) = 0;
    result[14] = result[0];

    /* SLEEPONEXIT: three interrupts, and the thread runs once after them */
    result[0] = 0;
    REG(0xE000ED10) = 2;
    REG(0xE000E018) = 0;
    REG(0xE000E010) = 7;
    while (result[0] < 3) {
        sleep();
        result[2]++;
    }
    REG(0xE000E010) = 0;
    return 0;
}
