#ifndef TINYC_CAST_F32_H
#define TINYC_CAST_F32_H

#include <stdint.h>

#include "cast.h"
#include "tinyc_float.h"

/* x without its fraction, within [low, high], of which float32 may have a neighbour of high; 0 of NaN. */
TINYC_INLINE int32_t tinyc_whole_f32(float x, int32_t low, int32_t high) {
    if (x != x) {
        return 0;
    }
    if (x <= (float)low) {
        return low;
    }
    return x >= (float)high ? high : (int32_t)x;
}

#endif
