#ifndef TINYC_L2_NORMALIZATION_H
#define TINYC_L2_NORMALIZATION_H

#include <stdint.h>

struct tinyc_l2_normalization {
    int32_t rows, depth;
    int32_t input_offset;
};

#endif
