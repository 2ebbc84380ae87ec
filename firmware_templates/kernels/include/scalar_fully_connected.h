#ifndef TINYC_SCALAR_FULLY_CONNECTED_H
#define TINYC_SCALAR_FULLY_CONNECTED_H

#include <stdint.h>

/* `words` holds what tinyc_fully_connected_s8__scalar() says. */
struct tinyc_scalar_fully_connected {
    int32_t rows, depth, units;
    int32_t output_offset;
    int32_t low, high;
    const uint32_t *words;
};

#endif
