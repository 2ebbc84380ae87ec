/* Blocks over the pixels themselves. */
#ifndef TINYC_BLOCKS_POINTWISE_H
#define TINYC_BLOCKS_POINTWISE_H

#include <stdint.h>

#include "tinyc_blocks.h"

/* A window of one input of `depth` channels at stride 1 without padding: pixels follow one another. */
TINYC_INLINE void tinyc_conv_2d_pointwise(const struct tinyc_conv_2d_blocks *layer, int32_t depth,
                                          const int8_t *input, int8_t *output, tinyc_word *panel,
                                          tinyc_block_kernel *kernel) {
    const int32_t last = layer->batches * layer->output_height * layer->output_width - 4;

    for (int32_t pixel = 0;; pixel = pixel + 4 < last ? pixel + 4 : last) {
        const int8_t *from = input + pixel * depth;
        for (int32_t i = 0; i < 4; i++, from += depth) {
            tinyc_gather_run(panel + i, from, depth);
        }
        tinyc_run_block(layer, panel, output + pixel * layer->output_channels, kernel);
        if (pixel == last) {
            return;
        }
    }
}

#endif
