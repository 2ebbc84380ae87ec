#ifndef TINYC_SLOPES_H
#define TINYC_SLOPES_H

#include <stdint.h>

/* y = x times one of two multipliers, that of x >= 0 or that of x < 0, and at most `high`. */
struct tinyc_slopes {
    int32_t count, high;
    int32_t positive_multiplier, positive_shift;
    int32_t negative_multiplier, negative_shift;
};

#endif
