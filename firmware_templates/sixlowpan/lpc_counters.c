/* How often each verdict and event has been since the start. */
#include <string.h>

#include "lpc_contexts.h"

LPC_STATE static uint32_t counters[LPC_COUNTERS];

_Static_assert(sizeof counters == LPC_COUNTERS_BYTES, "lpc_config.h");

void lpc_counters_init(void) {
    memset(counters, 0, sizeof counters);
}

void lpc_count(uint32_t which) {
    counters[which]++;
}

uint32_t lpc_counter(uint32_t which) {
    return which < LPC_COUNTERS ? counters[which] : 0u;
}
