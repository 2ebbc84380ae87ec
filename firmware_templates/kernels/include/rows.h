#ifndef TINYC_ROWS_H
#define TINYC_ROWS_H

#include <stdint.h>
#include <string.h>

/* CONCATENATION and SPLIT: a whole of `rows` rows of `stride` bytes, cut into parts side by side. */
struct tinyc_rows {
    int32_t rows, stride;
};

/* The same for a CONCATENATION of which some parts are constants: these lie one after the other. */
struct tinyc_rows_constant {
    int32_t rows, stride;
    const void *constants;
};

TINYC_INLINE void tinyc_copy_rows(int32_t rows, const uint8_t *from, int32_t from_stride, uint8_t *to,
                                  int32_t to_stride, int32_t bytes) {
    for (int32_t row = 0; row < rows; row++) {
        memcpy(to + row * to_stride, from + row * from_stride, (size_t)bytes);
    }
}

#endif
