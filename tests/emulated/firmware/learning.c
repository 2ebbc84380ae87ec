/* One head on the chip: each wake-up is one command. result[0]: 0 scores and surprise, 1 update, 2 values,
 * 3 normalise; result[1]: the label; out: result[2] the best class, result[3] the bits of the surprise. */
#include "test.h"

#include "learn_head.h"

volatile uint32_t result[16];
struct learn_head head;
int8_t latent[LEARN_LATENT];
float scores[LEARN_CAPACITY];
float target[LEARN_CAPACITY];

static void act(void) {
    switch (result[0]) {
    case 0: {
        result[2] = learn_head_scores(&head, latent, scores);
        const float surprise = learn_head_surprise(&head, latent, scores);
        result[3] = *(const uint32_t __attribute__((may_alias)) *)&surprise;
        break;
    }
#if LEARN_REGRESSION
    case 2: learn_head_update_values(&head, latent, target); break;
#else
    case 1: learn_head_update(&head, latent, result[1]); break;
#endif
#if LEARN_NORMALISE
    case 3: learn_head_normalise(&head, latent); break;
#endif
    default: break;
    }
}

int main(void) {
    head = learn_factory;
    enable_interrupt(0);
    for (;;) {
        sleep();
        act();
    }
}

void IRQ0_Handler(void) {}
