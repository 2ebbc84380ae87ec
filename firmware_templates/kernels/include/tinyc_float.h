/* float32: every operation rounds at once, to nearest, ties to even. Compilers must not fuse a product and a
 * sum: GCC does not in standard C (-std=c99) or with -ffp-contract=off, Clang is told here. No libm. */
#ifndef TINYC_FLOAT_H
#define TINYC_FLOAT_H

#include <stdint.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* A NaN stays, and a zero keeps its sign. */
TINYC_INLINE float tinyc_clamp_f32(float x, float low, float high) {
    const float raised = x < low ? low : x;
    return raised > high ? high : raised;
}

#endif
