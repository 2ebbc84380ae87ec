/* Answers a command byte with the ticks of the MPS2's timer 0 around a piece of work. */
#include "test.h"
volatile uint32_t result[16];
static int8_t input[600], weights[600];

__attribute__((naked, noinline)) void work_loop(uint32_t n) {
    __asm volatile("1: subs r0, #1\n bne 1b\n bx lr");
}

/* Predicated instructions, calls, multiplications, divisions, as compiled code has them. */
__attribute__((noinline)) uint32_t mix(uint32_t a, uint32_t b) {
    return a % 7u > 3u ? a * b + 1u : a / (b | 1u);
}
__attribute__((noinline)) void work_mixed(uint32_t n) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; ++i) {
        for (int k = 0; k < 600; ++k) sum += input[k] * weights[k];
        if (sum & 1) sum -= 3;
        input[i % 600u] = (int8_t)mix((uint32_t)sum, i);
        weights[(i * 7u) % 600u] = (int8_t)(i ^ (uint32_t)sum);
    }
    result[0] = (uint32_t)sum;
}

static uint8_t get(void) {
    while (!(REG(0x40004004) & 2)) {}
    return (uint8_t)REG(0x40004000);
}
static void put_word(uint32_t word) {
    for (int i = 0; i < 4; ++i) {
        while (REG(0x40004004) & 1) {}
        REG(0x40004000) = (uint8_t)(word >> 8 * i);
    }
}

int main(void) {
    REG(0x40004010) = 217;
    REG(0x40004008) = 3;
    REG(0x40000008) = 0xFFFFFFFF;
    REG(0x40000004) = 0xFFFFFFFF;
    REG(0x40000000) = 1;
    for (;;) {
        const uint8_t command = get();
        const uint32_t before = REG(0x40000004);
        switch (command) {
        case 1: work_loop(1000000); break;
        case 2: work_loop(3000000); break;
        case 3: work_mixed(2000); break;
        default: break;
        }
        put_word(before - REG(0x40000004));
        put_word(result[0]);
    }
}
