#ifndef TINYC_TOKEN_LAYERS_H
#define TINYC_TOKEN_LAYERS_H

#include "tinyc_roots.h"
#include "tinyc_tile.h"

/* Input: all token ids. With matrices a row is their products with the tables' rows, else the rows
 * themselves; `multiplier` is that of each unit, or of each table. `segments` has 3 rows, or is null. */
struct tinyc_embedding {
    int32_t vocabulary, units, rank, position_rank, ids_wide, output_wide, separator;
    const int8_t *tokens, *positions, *token_matrix, *position_matrix;
    const int32_t *segments, *multiplier;
};

/* Input: all rows. */
struct tinyc_depthwise_conv_1d {
    int32_t channels, taps, input_offset, output_wide, output_offset;
    const int8_t *weights;
    const int32_t *bias, *multiplier;
};

/* y = table[x + 128]; one of the tables is null. */
struct tinyc_curve {
    int32_t units;
    const int8_t *table_8;
    const int16_t *table_16;
};

/* Input: all rows; one row of int16 comes out. */
struct tinyc_token_pool {
    int32_t depth, input_wide, is_rms, ratio;
};

/* value / count, rounded down, for a quotient below 2^31 and a count below 2^16: no 64-bit division. */
TINYC_INLINE uint32_t tinyc_divide(uint64_t value, uint32_t count) {
    const uint32_t upper = (uint32_t)(value >> 16), lower = (uint32_t)value & 0xffffu;
    return ((upper / count) << 16) + ((upper % count) << 16 | lower) / count;
}

TINYC_INLINE int32_t tinyc_token(const struct tinyc_embedding *layer, const void *ids, int32_t at) {
    const int32_t id = layer->ids_wide ? ((const int32_t *)ids)[at] : ((const int16_t *)ids)[at];
    return id < 0 || id >= layer->vocabulary ? 0 : id;
}

/* The first separator of a sentence, `length` where there is none. */
TINYC_INLINE int32_t tinyc_first_separator(const struct tinyc_embedding *layer, const void *ids, int32_t length) {
    int32_t at = 0;
    while (at < length && tinyc_token(layer, ids, at) != layer->separator) {
        at++;
    }
    return at;
}

#endif
