/*
 * The trainer over SMP: commands 20 to 23 of group 64. Whoever has the group asks these two first.
 */
#ifndef TINYC_TRAINER_GROUP_H
#define TINYC_TRAINER_GROUP_H

#include "smp.h"

#define TRAINER_FIRST_COMMAND 20u
#define TRAINER_LAST_COMMAND 23u

/* As smp_own_group() and smp_put_own_group(), for these commands alone. */
uint32_t trainer_group(struct smp_request *request);
uint32_t trainer_put_group(const struct smp_request *request);

#endif
