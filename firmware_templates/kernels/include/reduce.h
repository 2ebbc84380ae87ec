#ifndef TINYC_REDUCE_H
#define TINYC_REDUCE_H

#include <stdint.h>

/* Any axes: up to four groups of them stay and up to four are reduced, the last ones innermost. */
struct tinyc_reduce {
    int32_t outputs, inputs; /* elements of the result, and those of the input that make one of them */
    int32_t kept[4], kept_strides[4];
    int32_t reduced[4], reduced_strides[4];
};

struct tinyc_reduce_sum {
    int32_t outputs, inputs;
    int32_t kept[4], kept_strides[4];
    int32_t reduced[4], reduced_strides[4];
    int32_t sum_offset; /* added to the sum: minus the zero points */
    int32_t multiplier, shift;
    int32_t output_offset;
};

/* The position after `position` in row-major order; `at` counts along each axis and ends at 0. */
TINYC_INLINE int32_t tinyc_next_position(const int32_t *extents, const int32_t *strides, int32_t *at,
                                         int32_t position) {
    for (int32_t axis = 3; axis >= 0; axis--) {
        position += strides[axis];
        if (++at[axis] < extents[axis]) {
            break;
        }
        position -= extents[axis] * strides[axis];
        at[axis] = 0;
    }
    return position;
}

#endif
