#ifndef TINYC_RESIZE_BILINEAR_H
#define TINYC_RESIZE_BILINEAR_H

#include <stdint.h>

#define TINYC_RESIZE_ONE ((int32_t)1024)

/* Height and width, in this order. The pixels of the result lie at first + n * step in the input, in 1/1024. */
struct tinyc_resize_bilinear {
    int32_t batch;
    int32_t extents[2], size[2], first[2], step[2];
    int32_t channels;
};

/* Two neighbours along an axis and their weights; the sum of these is TINYC_RESIZE_ONE. */
struct tinyc_resize_pair {
    int32_t lower, upper, lower_weight, upper_weight;
};

TINYC_INLINE struct tinyc_resize_pair tinyc_resize_place(const struct tinyc_resize_bilinear *layer, int32_t axis,
                                                         int32_t position) {
    const int32_t at = layer->first[axis] + position * layer->step[axis], last = layer->extents[axis] - 1;
    struct tinyc_resize_pair pair;
    pair.lower = at > 0 ? at / TINYC_RESIZE_ONE : 0;
    pair.upper = at > 0 ? (at + TINYC_RESIZE_ONE - 1) / TINYC_RESIZE_ONE : 0;
    pair.lower = pair.lower < last ? pair.lower : last;
    pair.upper = pair.upper < last ? pair.upper : last;
    pair.upper_weight = at - pair.lower * TINYC_RESIZE_ONE;
    pair.lower_weight = TINYC_RESIZE_ONE - pair.upper_weight;
    return pair;
}

#endif
