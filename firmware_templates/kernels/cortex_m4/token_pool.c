/* int16 rows, two columns at a time. The scratch holds the sums of the columns, from the first tile to the
 * last. */
TINYC_KERNEL void tinyc_pool_powers__cortex_m4(const int16_t *rows, int32_t depth, int32_t count, uint64_t *powers) {
    for (uint64_t *end = powers + depth; powers < end; rows += 2, powers += 2) {
        uint64_t low = powers[0], high = powers[1];
        const int16_t *at = rows;
        for (int32_t row = count; row > 0; row--, at += depth) {
            const uint32_t word = tinyc_load_word(at);
            const int32_t x = tinyc_bottom(word), y = tinyc_top(word);
            low += (uint64_t)(int64_t)(x * x);
            high += (uint64_t)(int64_t)(y * y);
        }
        powers[0] = low;
        powers[1] = high;
    }
}

TINYC_KERNEL void tinyc_pool_sums__cortex_m4(const int16_t *rows, int32_t depth, int32_t count, int32_t *sums) {
    for (int32_t *end = sums + depth; sums < end; rows += 2, sums += 2) {
        int32_t low = sums[0], high = sums[1];
        const int16_t *at = rows;
        for (int32_t row = count; row > 0; row--, at += depth) {
            const uint32_t word = tinyc_load_word(at);
            low += tinyc_bottom(word);
            high += tinyc_top(word);
        }
        sums[0] = low;
        sums[1] = high;
    }
}

TINYC_KERNEL void tinyc_token_pool_s16__cortex_m4(const struct tinyc_token_pool *layer, const void *const *inputs,
                                                  void *output, void *scratch, const struct tinyc_tile *tile) {
    const int32_t depth = layer->depth;
    uint64_t *powers = scratch;
    int32_t *sums = scratch;
    if (tile->first == 0) {
        memset(scratch, 0, (uint32_t)depth * (layer->is_rms ? sizeof *powers : sizeof *sums));
    }
    if (layer->is_rms) {
        tinyc_pool_powers__cortex_m4(inputs[0], depth, tile->count, powers);
    } else {
        tinyc_pool_sums__cortex_m4(inputs[0], depth, tile->count, sums);
    }
    if (tile->first + tile->count >= tile->rows) {
        for (int32_t i = 0; i < depth; i++) {
            ((int16_t *)output)[i] = tinyc_pooled(layer, layer->is_rms ? powers[i] : 0, layer->is_rms ? 0 : sums[i],
                                                  tile->rows);
        }
    }
}
