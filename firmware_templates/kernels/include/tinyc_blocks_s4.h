/* Records of tinyc_blocks.h whose weights lie in flash with four bits. */
#ifndef TINYC_BLOCKS_S4_H
#define TINYC_BLOCKS_S4_H

#include <stdint.h>

#include "tinyc_blocks.h"

/* A packed record has one word for each two words of weights: the four bytes of the first, each plus 8, in the low
 * halves of its bytes, those of the second in the high ones. Writes all records as the blocks read them to `to`.
 * `head`: the words before the weights. */
TINYC_KERNEL const int32_t *tinyc_unpack_records(const struct tinyc_conv_2d_blocks *layer, int32_t head,
                                                 int32_t *to) {
    const int32_t *const unpacked = to, *from = layer->weights;
    const int32_t tail = layer->record - layer->words - head;

    for (int32_t record = (layer->output_channels + 1) / 2; record > 0; record--) {
        for (int32_t i = 0; i < head; i++) {
            *to++ = *from++;
        }
        int32_t words = layer->words;
        for (; words >= 2; words -= 2, to += 2) {
            const uint32_t both = (uint32_t)*from++;
            to[0] = (int32_t)tinyc_ssub16(both & 0x0f0f0f0fu, 0x08080808u);
            to[1] = (int32_t)tinyc_ssub16(both >> 4 & 0x0f0f0f0fu, 0x08080808u);
        }
        if (words > 0) {
            *to++ = (int32_t)tinyc_ssub16((uint32_t)*from++ & 0x0f0f0f0fu, 0x08080808u);
        }
        for (int32_t i = 0; i < tail; i++) {
            *to++ = *from++;
        }
    }
    return unpacked;
}

#endif
