#ifndef TINYC_ALONG_AXIS_F32_H
#define TINYC_ALONG_AXIS_F32_H

#include <stdint.h>

#include "along_axis.h"
#include "tinyc_float.h"

struct tinyc_cumsum_f32 {
    int32_t outer, depth, inner;
    int32_t exclusive, reverse;
};

#endif
