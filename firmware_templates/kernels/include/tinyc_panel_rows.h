/* A layer as a product of rows of int16 with its channels, and how rows are made. */
#ifndef TINYC_PANEL_ROWS_H
#define TINYC_PANEL_ROWS_H

#include <stdint.h>

#include "tinyc_dsp.h"

/* How `weights` lie is up to the kernel. `depth` is a multiple of 4. `bias` contains the input offset times the
 * weights. `right` is one less than the right shift and `offset` twice the output offset plus 1, as
 * tinyc_output_s8() wants them. */
struct tinyc_panel {
    int32_t depth, channels;
    int32_t offset;
    int32_t channel_mask; /* -1: one multiplier per channel, 0: one for all */
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *right;
};

/* Sign-extends `count` bytes into as many halfwords. */
TINYC_KERNEL void tinyc_widen(int16_t *to, const int8_t *from, int32_t count) {
    for (; count >= 4; count -= 4, from += 4, to += 4) {
        const uint32_t bytes = tinyc_load_word(from);
        const uint32_t even = tinyc_sxtb16(bytes);
        const uint32_t odd = tinyc_sxtb16_odd(bytes);
        tinyc_store_word(to, tinyc_pack_bottoms(even, odd));
        tinyc_store_word(to + 2, tinyc_pack_tops(even, odd));
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
}

#endif
