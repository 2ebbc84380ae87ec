/* Uses a known amount of stack, and reports what RAM holds at power on. */
#include "test.h"
volatile uint32_t result[16];

__attribute__((naked, noinline)) void deep(void) {
    __asm volatile("sub sp, #400\n movs r0, #0\n str r0, [sp]\n add sp, #400\n bx lr");
}

int main(void) {
    result[0] = REG(0x20008000);
    enable_interrupt(0);
    sleep();
    deep();
    return 0;
}

void IRQ0_Handler(void) {}
