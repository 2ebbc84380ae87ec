/* A project of its own with the generated model and head: no serial port, no chip. Inputs of a byte for each
 * value and a label come on standard input, what the head says goes to standard output, a line a sample. */
#include <stdio.h>
#include <string.h>

#include "learner.h"
#include "model.h"

int main(void) {
    static unsigned char sample[LEARNER_INPUT_0_SIZE];
    uint32_t result;
    learner_init();
    if (learner_name_class("wave", 4u, &result) != LEARN_FACTORY_CLASSES) {
        return 1;
    }
    while (fread(sample, 1, sizeof sample, stdin) == sizeof sample) {
        const int label = getchar();
        memcpy(learner_arena() + LEARNER_INPUT_0_OFFSET, sample, sizeof sample);
        learner_invoke();
        const struct learner_answer *const answer =
            learner_observe((const int8_t *)(learner_arena() + LEARNER_OUTPUT_1_OFFSET));
        uint32_t score;
        memcpy(&score, &answer->score, sizeof score);
        printf("%u %u %u", (unsigned)answer->label, (unsigned)learner_shadow_label(), (unsigned)score);
        printf(" %u\n", (unsigned)learner_label((uint32_t)label));
    }
    return 0;
}
