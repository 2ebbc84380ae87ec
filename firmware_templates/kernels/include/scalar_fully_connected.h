#ifndef TINYC_SCALAR_FULLY_CONNECTED_H
#define TINYC_SCALAR_FULLY_CONNECTED_H

#include <stdint.h>

#include "tinyc_scalar.h"

/* `words` holds each unit's head and weights. */
struct tinyc_scalar_fully_connected {
    int32_t rows, depth, units;
    struct tinyc_scalar_range range;
    const uint32_t *words;
};

#endif
