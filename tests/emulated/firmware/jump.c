/* A bootloader that does nothing but jump to the application at 0x8000. */
#include "test.h"
volatile uint32_t result[16];

__attribute__((noinline)) static void jump(uint32_t vectors) {
    REG(0xE000ED08) = vectors;
    __asm volatile("msr msp, %0\n dsb\n isb\n bx %1" ::"r"(REG(vectors)), "r"(REG(vectors + 4)));
}

int main(void) {
    jump(0x8000u);
    return 0;
}
