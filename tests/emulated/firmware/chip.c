/* The nRF52840's flash controller, factory information, random numbers, clock, RTC and cycle counter. */
#include "test.h"
volatile uint32_t result[16];

#define PAGE 0x000F0000u

void IRQ17_Handler(void) { /* RTC1 */
    REG(0x40011140) = 0;
    result[9]++;
}

int main(void) {
    result[0] = REG(0x10000060);
    result[1] = REG(0x10000100);
    result[2] = REG(PAGE); /* erased */
    REG(0x4001E504) = 1;
    REG(PAGE) = 0xFFFF00FF;
    REG(PAGE) = 0x12345678; /* clears bits only */
    REG(PAGE + 4096) = 0x55;
    REG(0x4001E504) = 0;
    result[3] = REG(PAGE);
    REG(0x4001E508) = PAGE; /* erasing is off: nothing happens */
    result[4] = REG(PAGE);
    REG(0x4001E504) = 2;
    while (!REG(0x4001E400)) {}
    REG(0x4001E508) = PAGE;
    REG(0x4001E504) = 0;
    result[5] = REG(PAGE);
    result[6] = REG(PAGE + 4096);
#ifdef UNLOCKED_WRITE
    REG(PAGE) = 1;
#endif
    REG(0x40000000) = 1; /* HFXO */
    while (!REG(0x40000100)) {}
    REG(0x4000D000) = 1; /* RNG */
    while (!REG(0x4000D100)) {}
    result[7] = REG(0x4000D508);
    REG(0x4000D004) = 1;

    /* cycle counter around a loop of a known length */
    REG(0xE000EDFC) |= 1u << 24;
    REG(0xE0001004) = 0;
    REG(0xE0001000) |= 1;
    uint32_t before = REG(0xE0001004);
    __asm volatile("mov r0, #1000\n1: subs r0, #1\n bne 1b" ::: "r0", "cc");
    result[8] = REG(0xE0001004) - before;

    /* RTC1: sleep for 32 ticks of 32768 Hz */
    REG(0x40000008) = 1;
    REG(0x40011540) = 32;
    REG(0x40011304) = 1u << 16;
    enable_interrupt(17);
    REG(0x40011000) = 1;
    while (!result[9]) sleep();
    result[10] = REG(0x40011504);

    /* vector table: SVC must come through the table of this image */
    result[11] = REG(0xE000ED08);
    __asm volatile("svc 0");
    return 0;
}

void SVC_Handler(void) { result[12] = 1; }
