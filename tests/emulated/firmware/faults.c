/* One mistake each. */
#include "test.h"
volatile uint32_t result[16];
volatile float number = 2.0f;

__attribute__((noinline)) void culprit(void) {
#if defined(READ_NOWHERE)
    result[0] = REG(0x30000000);
#elif defined(WRITE_NOWHERE)
    REG(0x60000004) = 1;
#elif defined(WRITE_FLASH)
    REG(0x00000100) = 1;
#elif defined(UNDEFINED)
    __asm volatile("udf 1");
#elif defined(UNDEFINED_AFTER_WFE)
    __asm volatile("sev\n wfe\n udf 1");
#elif defined(BREAKPOINT)
    __asm volatile("bkpt 3");
#elif defined(ARM_STATE)
    __asm volatile("movs r0, #0x80\n bx r0");
#elif defined(JUMP_NOWHERE)
    __asm volatile("ldr r0, =0x70000001\n blx r0" ::: "r0", "lr");
#elif defined(NO_FPU)
    number = number * 3.0f;
#elif defined(NO_HANDLER)
    REG(0xE000ED04) = 1u << 28;
#elif defined(LOST_STACK)
    __asm volatile("mov sp, %0\n svc 0" ::"r"(0x10));
#elif defined(MISALIGNED)
    __asm volatile("ldr r0, =0x20001002\n ldr r1, [r0]\n ldrd r2, r3, [r0, #8]" ::: "r0", "r1", "r2", "r3");
#elif defined(MISALIGNED_STORE)
    __asm volatile("ldr r0, =0x20001001\n stm r0!, {r1, r2}" ::: "r0", "memory");
#elif defined(MISALIGNED_FLOAT)
    __asm volatile("ldr r9, =0x20001003\n vldr s0, [r9]" ::: "r9", "s0");
#elif defined(RESET)
    result[1]++;
    if (BYTE(0x2003FF00) != 0x5A) {
        BYTE(0x2003FF00) = 0x5A;
        REG(0xE000ED0C) = 0x05FA0004;
    }
#endif
    __asm volatile("nop");
}

int main(void) {
    culprit();
    result[2] = 77;
    return 0;
}
