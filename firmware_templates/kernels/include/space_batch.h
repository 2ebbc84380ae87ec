#ifndef TINYC_SPACE_BATCH_H
#define TINYC_SPACE_BATCH_H

#include <stdint.h>
#include <string.h>

/* Images of `whole` pixels of `run` bytes, and what they become: per pixel of a block, the images of `part`
   pixels that lie a block apart, behind the margins. Height and width, in this order. */
struct tinyc_space_batch {
    int32_t images;
    int32_t whole[2], part[2], block[2], margins[2];
    int32_t run;
    int32_t part_bytes, fill; /* what SPACE_TO_BATCH_ND writes first */
};

/* Where the pixel at (y, x) of an image lies among the parts, in bytes. */
TINYC_INLINE int32_t tinyc_space_batch_place(const struct tinyc_space_batch *layer, int32_t image, int32_t y,
                                             int32_t x) {
    const int32_t row = y + layer->margins[0], column = x + layer->margins[1];
    const int32_t corner = row % layer->block[0] * layer->block[1] + column % layer->block[1];
    const int32_t part = corner * layer->images + image;
    const int32_t line = part * layer->part[0] + row / layer->block[0];
    return (line * layer->part[1] + column / layer->block[1]) * layer->run;
}

#endif
