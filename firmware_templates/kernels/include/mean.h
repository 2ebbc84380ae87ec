#ifndef TINYC_MEAN_H
#define TINYC_MEAN_H

#include <stdint.h>

/* x is [outer][reduced][middle][inner reduced][inner], y is [outer][middle][inner] */
struct tinyc_mean {
    int32_t outer, reduced, middle, inner_reduced, inner;
    int32_t sum_offset; /* start of every sum: -zero_point * count */
    int32_t multiplier, shift;
    int32_t output_offset;
};

#endif
