#ifndef TINYC_NORM_H
#define TINYC_NORM_H

#include "tinyc_roots.h"
#include "tinyc_tile.h"

/* y = (x - mean) * multiplier >> shift, both of the row, then * gains + offsets >> gain_shift if has_gains. */
struct tinyc_norm {
    int32_t depth, input_wide, output_wide, centred, mean_multiplier;
    int64_t epsilon;
    int32_t constant, exponent;
    int32_t has_gains, gain_shift;
    const int16_t *gains;
    const int32_t *offsets;
};

struct tinyc_row_scale {
    int32_t multiplier, shift;
};

/* The C twin of row_multipliers in tinyc/ir/ops/norm.py. `power` includes epsilon. */
TINYC_INLINE struct tinyc_row_scale tinyc_row_scale(const struct tinyc_norm *layer, uint64_t power) {
    const struct tinyc_root found = tinyc_inverse_root(power);
    const uint32_t product = (uint32_t)(((uint64_t)found.root * (uint32_t)layer->constant) >> 31);
    const int32_t drop = product >= 0x40000000u ? 16 : 15;
    const uint32_t multiplier = (product + (1u << (drop - 1))) >> drop;
    const struct tinyc_row_scale scale = {
        multiplier > 32767u ? 32767 : (int32_t)multiplier,
        tinyc_clamp(layer->exponent + found.half - 1 - drop, 1, 31),
    };
    return scale;
}

#endif
