#ifndef TINYC_SELECT_H
#define TINYC_SELECT_H

#include <stdint.h>

#include "pairs.h"

/* Left where the condition holds, else right; all three broadcast. */
struct tinyc_select {
    int32_t extents[TINYC_PAIR_AXES];
    int32_t condition_strides[TINYC_PAIR_AXES];
    int32_t left_strides[TINYC_PAIR_AXES];
    int32_t right_strides[TINYC_PAIR_AXES];
    const void *condition, *left, *right; /* constants; null for an activation */
};

/* Runs what follows for every element of the result, in order. */
#define TINYC_EACH_TRIPLE(layer, c, a, b)                                                        \
    TINYC_LINES((layer)->extents)                                                                \
    for (int32_t n_ = (layer)->extents[5], c = TINYC_LINE((layer)->condition_strides),           \
                 a = TINYC_LINE((layer)->left_strides), b = TINYC_LINE((layer)->right_strides);  \
         n_ > 0; n_--, c += (layer)->condition_strides[5], a += (layer)->left_strides[5],        \
                 b += (layer)->right_strides[5])

#endif
