#ifndef TINYC_RSQRT_H
#define TINYC_RSQRT_H

#include <stdint.h>

/* y = scale(1 / sqrt(x)); INT16_MAX from 0 down. `shift` is for fractions of 2^20. */
struct tinyc_rsqrt {
    int32_t count;
    int32_t multiplier, shift;
};

#endif
