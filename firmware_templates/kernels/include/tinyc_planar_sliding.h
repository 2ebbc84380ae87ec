/* A depthwise layer on planes of all channels that slide down the image. */
#ifndef TINYC_PLANAR_SLIDING_H
#define TINYC_PLANAR_SLIDING_H

#include "tinyc_planar_fill.h"
#include "tinyc_sliding.h"

struct tinyc_planar_sliding {
    struct tinyc_planar fill; /* what the functions that fill planes read */
    struct tinyc_sliding sliding;
    const int32_t *weights; /* a record per channel */
};

/* Copies the rows that the tile adds. */
TINYC_KERNEL void tinyc_planar_slide(const struct tinyc_planar_sliding *layer,
                                     const struct tinyc_sliding_tile *tile) {
    const int8_t *from = tile->from;
    uint8_t *to = tile->to + 4 * (layer->sliding.left >> 1);
    int32_t left = layer->sliding.channels;
    if (tile->rows <= 0 || layer->fill.columns == 0) {
        return;
    }
    for (; left >= 4; left -= 4, from += 4, to += 4 * layer->fill.plane) {
        tinyc_planar_four(&layer->fill, from, to, tile->rows);
    }
    if (left > 0) {
        tinyc_planar_some(&layer->fill, from, to, tile->rows, left);
    }
}

#endif
