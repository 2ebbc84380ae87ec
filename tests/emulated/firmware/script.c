/* Performs the steps that the host left in RAM, each once: after a reset the next one follows. */
#include "test.h"
volatile uint32_t result[16];

struct step {
    uint32_t action, address, value;
};
#define STEPS ((volatile struct step *)0x20010000u)
enum { END, DONE, STORE, STORE_BYTE, LOAD };

int main(void) {
    volatile struct step *step = STEPS;
    for (; step->action != END; step++) {
        uint32_t action = step->action, address = step->address, value = step->value;
        step->action = DONE;
        switch (action) {
        case STORE: REG(address) = value; break;
        case STORE_BYTE: BYTE(address) = (uint8_t)value; break;
        case LOAD: step->value = REG(address); break;
        default: break;
        }
        __asm volatile("dsb" ::: "memory");
    }
    return 0;
}
