#ifndef TINYC_PATCH_H
#define TINYC_PATCH_H

#include <stdint.h>
#include <string.h>

/* `rows` runs of `run` bytes, whose starts are `from_step` and `to_step` bytes apart. */
TINYC_INLINE void tinyc_patch_copy(int8_t *to, int32_t to_step, const int8_t *from, int32_t from_step,
                                   int32_t run, int32_t rows) {
    for (; rows > 0; rows--, to += to_step, from += from_step) {
        memcpy(to, from, (size_t)run);
    }
}

#endif
