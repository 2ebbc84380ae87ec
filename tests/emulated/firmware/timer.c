/* TIMER0: channel 0 matches while the core writes channel 1 again and again, at every place of the match. */
#include "test.h"
volatile uint32_t result[16];

#define TIMER(offset) REG(0x40008000u + (offset))
#define ROUNDS 64u

int main(void) {
    TIMER(0x508) = 3; /* 32 bits, 16 MHz */
    TIMER(0x510) = 0;
    TIMER(0x000) = 1;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        TIMER(0x140) = 0;
        TIMER(0x048) = 1; /* channel 2 captures */
        const uint32_t now = TIMER(0x548);
        TIMER(0x540) = now + 30 + round;
        for (uint32_t i = 0; i < 600; i++) TIMER(0x544) = 0x80000000u + i;
        result[0] += TIMER(0x140);
    }
    return 0;
}
