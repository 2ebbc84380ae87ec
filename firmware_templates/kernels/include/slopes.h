#ifndef TINYC_SLOPES_H
#define TINYC_SLOPES_H

#include <stdint.h>

/* y = x times one of two multipliers: that of x >= 0, or that of x < 0. */
struct tinyc_slopes {
    int32_t count;
    int32_t positive_multiplier, positive_shift;
    int32_t negative_multiplier, negative_shift;
};

#endif
