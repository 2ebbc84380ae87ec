/* Functions whose executed instructions are known by counting them on paper. */
#include "test.h"
volatile uint32_t result[16];

/* 2 n + 1 instructions */
__attribute__((naked, noinline)) void loop(uint32_t n) {
    __asm volatile("1: subs r0, #1\n bne 1b\n bx lr");
}

/* an IT block: 6 n + 2, whether its three instructions are skipped or not */
__attribute__((naked, noinline)) void conditional(uint32_t n) {
    __asm volatile(
        "movs r1, #0\n"
        "1: tst r0, #1\n ite ne\n addne r1, #1\n subeq r1, #1\n subs r0, #1\n bne 1b\n bx lr");
}

/* push, 2 calls with argument set-up, pop: 6 + (2 * 10 + 1) + (2 * 20 + 1) */
__attribute__((naked, noinline)) void outer(void) {
    __asm volatile("push {r4, lr}\n movs r0, #10\n bl loop\n movs r0, #20\n bl loop\n pop {r4, pc}");
}

/* a tail call: 2 + 2 * 30 + 1 */
__attribute__((naked, noinline)) void tail(void) {
    __asm volatile("movs r0, #30\n b.w loop");
}

/* 6 n + 3 */
__attribute__((naked, noinline)) void recurse(uint32_t n) {
    __asm volatile("cbz r0, 1f\n push {r4, lr}\n subs r0, #1\n bl recurse\n nop\n pop {r4, pc}\n 1: nop\n bx lr");
}

/* a branch out of an IT block: 4 (n - 1) + 3; the last round leaves by the predicated return */
__attribute__((naked, noinline)) void leave_by_it(uint32_t n) {
    __asm volatile("1: subs r0, #1\n it eq\n bxeq lr\n b 1b");
}

int main(void) {
    enable_interrupt(0); /* the test wakes us through it */
    for (;;) {
        sleep();
        switch (result[0]) {
        case 1: loop(result[1]); break;
        case 2: conditional(result[1]); break;
        case 3: outer(); break;
        case 4: tail(); break;
        case 5: recurse(result[1]); break;
        case 6: leave_by_it(result[1]); break;
        default: break;
        }
        result[2]++;
    }
}

void IRQ0_Handler(void) {}
