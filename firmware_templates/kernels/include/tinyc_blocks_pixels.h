/* Blocks over the pixels themselves, once for all layers that are not worth code of their own. */
#ifndef TINYC_BLOCKS_PIXELS_H
#define TINYC_BLOCKS_PIXELS_H

#include "tinyc_blocks_pointwise.h"

TINYC_KERNEL void tinyc_conv_2d_pixels(const struct tinyc_conv_2d_blocks *layer, const int8_t *input,
                                       int8_t *output, tinyc_word *panel, tinyc_block_kernel *kernel) {
    tinyc_conv_2d_pointwise(layer, layer->depth, input, output, panel, kernel);
}

#endif
