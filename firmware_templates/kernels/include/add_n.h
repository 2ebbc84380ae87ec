#ifndef TINYC_ADD_N_H
#define TINYC_ADD_N_H

#include <stdint.h>

/* y = clamp(scale(factor * (x_0 + x_1 + ...)) + output_offset) over elements with zero point 0 */
struct tinyc_add_n {
    int32_t count, factor;
    int32_t output_offset, multiplier, shift;
    int32_t low, high;
};

#endif
