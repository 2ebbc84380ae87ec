/*
 * What trainer.c and trainer_delta.c share.
 */
#ifndef TINYC_TRAINER_MEMORY_H
#define TINYC_TRAINER_MEMORY_H

#include "trainer.h"

/* Behind the parameters: room for scales and the last bytes of bitmaps of an encoded delta. */
#define TRAINER_SPARE_WORDS (TRAINER_KEEPS_START ? 2u * TRAINER_WEIGHT_LAYERS + 1u : 0u)

struct trainer_memory {
    float parameters[TRAINER_PARAMETERS + TRAINER_SPARE_WORDS];
#if TRAINER_KEEPS_START
    float start[TRAINER_PARAMETERS];
    uint32_t encoded_bytes;
#endif
    struct trainer_stats stats;
};

extern struct trainer_memory trainer_memory;

#endif
