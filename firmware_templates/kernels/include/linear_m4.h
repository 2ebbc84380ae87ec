#ifndef TINYC_LINEAR_M4_H
#define TINYC_LINEAR_M4_H

#include "linear.h"
#include "tinyc_tile_m4.h"

/* As tinyc_linear. A row of `weights` holds those of all sources, each padded to whole chunks: `chunks` in
 * all; units are padded to an even number. */
struct tinyc_linear_rows {
    struct tinyc_linear linear;
    int32_t chunks;
    const int8_t *weights;
};

#endif
