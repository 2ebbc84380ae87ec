#ifndef TINYC_RESIZE_BILINEAR_F32_H
#define TINYC_RESIZE_BILINEAR_F32_H

#include <stdint.h>

#include "tinyc_float.h"

/* Height and width, in this order. Pixel n of the result lies at (n + shift) * scale - shift in the input. */
struct tinyc_resize_bilinear_f32 {
    int32_t batch;
    int32_t extents[2], size[2];
    float scale_height, scale_width, shift;
    int32_t channels;
};

/* Two neighbours along an axis, and the weight of the upper one; that of the lower one is what is left of 1. */
struct tinyc_resize_pair_f32 {
    int32_t lower, upper;
    float part;
};

TINYC_INLINE struct tinyc_resize_pair_f32 tinyc_resize_place_f32(const struct tinyc_resize_bilinear_f32 *layer,
                                                                 int32_t axis, int32_t position) {
    const float scale = axis == 0 ? layer->scale_height : layer->scale_width;
    const float at = tinyc_float_product((float)position + layer->shift, scale) - layer->shift;
    const int32_t last = layer->extents[axis] - 1;
    struct tinyc_resize_pair_f32 pair;
    /* What lies before the first pixel is cut to it. */
    pair.lower = (int32_t)at;
    pair.upper = pair.lower + (at > (float)pair.lower);
    pair.upper = pair.upper < last ? pair.upper : last;
    pair.part = at - (float)pair.lower;
    return pair;
}

#endif
