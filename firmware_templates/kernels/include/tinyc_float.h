#ifndef TINYC_FLOAT_H
#define TINYC_FLOAT_H

#include <stdint.h>

#include "tinyc_float_rounding.h"

/* A NaN stays, and a zero keeps its sign. */
TINYC_INLINE float tinyc_clamp_f32(float x, float low, float high) {
    const float raised = x < low ? low : x;
    return raised > high ? high : raised;
}

#endif
