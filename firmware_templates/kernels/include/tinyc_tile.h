/* Layers that work on a few rows of a sentence at a time. They share one signature:
 * `inputs` point to the first row of the tile, or to row 0 where a layer reads all rows; `output` is the
 * first row of the tile. Fields that end in `_wide` say that a tensor is int16 and not int8. */
#ifndef TINYC_TILE_H
#define TINYC_TILE_H

#include "tinyc_fixed_point.h"

#define TINYC_TILE_ROWS 4

/* Rows first .. first + count - 1 of the `rows` that are computed. What is read as a whole has `length` rows. */
struct tinyc_tile {
    int32_t first, count, rows, length;
};

/* round(x * multiplier / 2^32), ties towards plus infinity. */
TINYC_INLINE int32_t tinyc_multiply_high(int32_t x, int32_t multiplier) {
    return (int32_t)(((int64_t)x * multiplier + INT64_C(0x80000000)) >> 32);
}

TINYC_INLINE int32_t tinyc_element(const void *tensor, int32_t wide, int32_t at) {
    return wide ? ((const int16_t *)tensor)[at] : ((const int8_t *)tensor)[at];
}

TINYC_INLINE void tinyc_set_element(void *tensor, int32_t wide, int32_t at, int32_t value) {
    if (wide) {
        ((int16_t *)tensor)[at] = (int16_t)tinyc_clamp(value, -32768, 32767);
    } else {
        ((int8_t *)tensor)[at] = (int8_t)tinyc_clamp(value, -128, 127);
    }
}

#endif
