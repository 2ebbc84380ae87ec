#ifndef TINYC_DIV_H
#define TINYC_DIV_H

#include <stdint.h>

#include "pairs.h"
#include "reciprocal.h"

/* y = clamp(scale(left / right) + output_offset); a division by zero gives output_offset */
struct tinyc_div {
    TINYC_PAIR_FIELDS
    int32_t left_offset, right_offset, output_offset;
    int32_t multiplier, shift;
    int32_t low, high;
};

/* By how many bits x can be shifted to the left. */
TINYC_INLINE int32_t tinyc_div_room(int32_t x) {
    int32_t bits = 31;
    for (int32_t rest = x < 0 ? ~x : x; rest > 0; rest >>= 1) {
        bits--;
    }
    return bits;
}

TINYC_INLINE int32_t tinyc_div(const struct tinyc_div *layer, int32_t a, int32_t b) {
    const int32_t divisor = b + layer->right_offset;
    const int32_t over = (a + layer->left_offset) * (divisor < 0 ? -1 : divisor > 0);
    const int32_t under = divisor < 0 ? -divisor : divisor > 0 ? divisor : 1;
    const int32_t room = tinyc_div_room(over), below = tinyc_div_room(under);
    /* 2^31 / under, as 1 / (1 + x) times a power of two. */
    const int32_t inverse =
        tinyc_one_over_one_plus((int32_t)(((uint32_t)under << (below + 1)) - 0x80000000u));
    const int32_t quotient = tinyc_scale((int32_t)((uint32_t)over << room), inverse);
    const int32_t scaled = tinyc_scale(quotient, layer->multiplier);
    const int32_t shift = room + 30 - below - layer->shift;
    const int32_t y = shift > 31 ? 0 : tinyc_rounding_shift(scaled, shift);
    return tinyc_clamp(y + layer->output_offset, layer->low, layer->high);
}

#endif
