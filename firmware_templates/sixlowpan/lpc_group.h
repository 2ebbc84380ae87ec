/*
 * What a 6LoWPAN node has counted and who it knows, over SMP: commands 15 and 16 of group 64. See
 * docs/reference/protocol.md.
 */
#ifndef TINYC_LPC_GROUP_H
#define TINYC_LPC_GROUP_H

#include "smp.h"

#define LPC_FIRST_COMMAND 15u
#define LPC_LAST_COMMAND 16u

/* As smp_own_group() and smp_put_own_group(), for these commands alone. */
uint32_t lpc_group(struct smp_request *request);
uint32_t lpc_group_put(const struct smp_request *request);

#endif
