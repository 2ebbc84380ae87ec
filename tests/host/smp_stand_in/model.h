/* A model of nothing, in the places of which every byte can be told from the others. */
#ifndef FAKE_MODEL_H
#define FAKE_MODEL_H

#include <stdint.h>

#define FAKE_ARENA_SIZE 4096u
#define FAKE_LAYER_COUNT 70u
#define FAKE_INPUT_0_SIZE 100u
#define FAKE_INPUT_0_OFFSET 16u
#define FAKE_INPUT_1_SIZE 3u
#define FAKE_INPUT_1_OFFSET 300u
#define FAKE_OUTPUT_0_SIZE 60u
#define FAKE_OUTPUT_0_OFFSET 400u
#define FAKE_OUTPUT_1_SIZE 7u
#define FAKE_OUTPUT_1_OFFSET 4089u

extern const uint8_t fake_digest[32];

uint8_t *fake_arena(void);
void fake_invoke(void);
void fake_run_layer(uint32_t layer);

#endif
