#ifndef TINYC_LOG_SOFTMAX_H
#define TINYC_LOG_SOFTMAX_H

#include <stdint.h>

struct tinyc_log_softmax {
    int32_t rows, depth;
    int32_t entries;             /* inputs this far below the largest of their row give the lowest code */
    int32_t multiplier, shift;   /* from a difference to steps of 2^-26 */
    int32_t exponential_entries; /* inputs this far below count as 0 in the sum */
    const int32_t *exponentials; /* exp(-scale * d) as a fraction of 2^31, d = 0, 1, ... */
};

#endif
