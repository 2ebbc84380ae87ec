/*
 * The learner over SMP: commands 10 to 14 of group 64. See docs/reference/protocol.md.
 */
#ifndef TINYC_LEARN_GROUP_H
#define TINYC_LEARN_GROUP_H

#include <stdint.h>

#include "smp.h"

/* After each inference: the latent, and what the arena begins with, are where the model left them. */
void learn_group_observe(const int8_t *latent, const uint8_t *arena);

/* Does what a request with one of these commands asks, and writes the answer's map, as smp_put_own_group(). */
uint32_t learn_group(struct smp_request *request);
void learn_group_put(const struct smp_request *request);

#endif
