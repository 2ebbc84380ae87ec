#ifndef TINYC_LINEAR_H
#define TINYC_LINEAR_H

#include "tinyc_tile.h"

#define TINYC_LINEAR_SOURCES 3

/* y = clamp(high(bias + sum over sources of weights * x, multiplier) + high(residual << 16, ...) + offset).
 * The bias holds what the zero points of x add. The residual is an input behind the sources, or a constant. */
struct tinyc_linear {
    int32_t sources, units;
    int32_t depth[TINYC_LINEAR_SOURCES], input_wide[TINYC_LINEAR_SOURCES];
    int32_t output_wide, output_offset, low, high;
    int32_t has_residual, residual_wide, residual_offset, residual_multiplier;
    const int8_t *weights_0, *weights_1, *weights_2;
    const int32_t *bias, *multiplier;
    const int8_t *residual_8;
    const int16_t *residual_16;
};

/* The residual of the first row of a tile, or null. */
TINYC_INLINE const void *tinyc_linear_residual(const struct tinyc_linear *layer, const void *const *inputs,
                                               const struct tinyc_tile *tile) {
    if (!layer->has_residual) {
        return 0;
    }
    const int32_t offset = tile->first * layer->units;
    if (layer->residual_16 != 0) {
        return layer->residual_16 + offset;
    }
    return layer->residual_8 != 0 ? (const void *)(layer->residual_8 + offset) : inputs[layer->sources];
}

#endif
