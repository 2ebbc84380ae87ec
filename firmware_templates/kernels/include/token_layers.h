#ifndef TINYC_TOKEN_LAYERS_H
#define TINYC_TOKEN_LAYERS_H

#include "tinyc_roots.h"
#include "tinyc_tile.h"

/* Input: all token ids. With matrices a row is their products with the tables' rows, else the rows
 * themselves; `multiplier` is that of each unit, or of each table. `segments` has 3 rows, or is null.
 * With fewer than 8 `token_bits` the codes of a row lie one behind the other, low bits first, and count
 * `row_multiplier` each; those of positions count `position_multiplier` where there are matrices. */
struct tinyc_embedding {
    int32_t vocabulary, units, rank, position_rank, ids_wide, output_wide, separator, token_bits,
        position_multiplier;
    const int8_t *tokens;
    const uint8_t *row_multiplier;
    const int8_t *positions, *token_matrix, *position_matrix;
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

/* One row of int16 comes out, behind the last tile. */
struct tinyc_token_pool {
    int32_t depth, input_wide, is_rms, ratio;
};

/* value / count, rounded down, for a quotient below 2^31 and a count below 2^16: no 64-bit division. */
TINYC_INLINE uint32_t tinyc_divide(uint64_t value, uint32_t count) {
    const uint32_t upper = (uint32_t)(value >> 16), lower = (uint32_t)value & 0xffffu;
    return ((upper / count) << 16) + ((upper % count) << 16 | lower) / count;
}

/* The result of a column of `rows` numbers: of the sum of their squares, or of their own. */
TINYC_INLINE int16_t tinyc_pooled(const struct tinyc_token_pool *layer, uint64_t power, int32_t sum, int32_t rows) {
    int32_t y;
    if (layer->is_rms) {
        power = tinyc_divide(power, (uint32_t)rows);
        y = tinyc_multiply_high((int32_t)tinyc_square_root((uint64_t)(power > 0 ? power : 1) << 16), layer->ratio);
    } else {
        y = tinyc_multiply_high(sum * 16, layer->ratio / rows);
    }
    return (int16_t)tinyc_clamp(y, -32768, 32767);
}

TINYC_INLINE int32_t tinyc_token(const struct tinyc_embedding *layer, const void *ids, int32_t at) {
    const int32_t id = layer->ids_wide ? ((const int32_t *)ids)[at] : ((const int16_t *)ids)[at];
    return id < 0 || id >= layer->vocabulary ? 0 : id;
}

/* A row of fewer than 8 bits, as int16. */
TINYC_INLINE void tinyc_unpack_token(const struct tinyc_embedding *layer, int32_t id, int16_t *values) {
    const int32_t bits = layer->token_bits, multiplier = layer->row_multiplier[id], half = 1 << (bits - 1);
    const int8_t *bytes = layer->tokens + id * ((layer->rank * bits + 7) / 8);
    uint32_t word = 0;
    for (int32_t i = 0, have = 0; i < layer->rank; i++, have -= bits, word >>= bits) {
        if (have < bits) {
            word |= (uint32_t)(uint8_t)*bytes++ << have;
            have += 8;
        }
        const int32_t code = (int32_t)(word & (2u * (uint32_t)half - 1u));
        values[i] = (int16_t)(((code ^ half) - half) * multiplier);
    }
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
