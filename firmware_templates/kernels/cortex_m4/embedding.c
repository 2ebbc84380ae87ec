/* With expanders: the rows of tokens and of positions make a panel. `chunks` of each row of `weights` are for
 * both. The scratch holds the panel, then rows of the tables as they are packed. */
TINYC_KERNEL void tinyc_embedding_expanded__cortex_m4(const struct tinyc_embedding_rows *layer,
                                                      const void *const *inputs, void *output, void *scratch,
                                                      const struct tinyc_tile *tile) {
    const struct tinyc_embedding *own = &layer->embedding;
    const int32_t rank = own->rank, count = tile->count, step = TINYC_CHUNK * layer->chunks;
    const int32_t *segments[4] = {0, 0, 0, 0};
    const int32_t separator = own->segments != 0 ? tinyc_first_separator(own, inputs[0], tile->length) : 0;
    const int32_t wide = own->token_bits < 8;
    int8_t *rows = (int8_t *)scratch + 8 * step;
    int16_t *values = (int16_t *)(void *)rows;
    for (int32_t row = 0; row < count; row++) {
        const int32_t position = tile->first + row, id = tinyc_token(own, inputs[0], position);
        const int32_t segment = id == 0 ? 0 : (position < separator ? 1 : 2);
        segments[row] = own->segments != 0 ? own->segments + segment * own->units : 0;
        if (wide) {
            tinyc_unpack_token(own, id, values + row * rank);
        } else {
            memcpy(rows + row * rank, own->tokens + id * rank, (uint32_t)rank);
        }
    }
    uint32_t *end = tinyc_pack_rows(rows, wide, rank, rank, count, scratch);
    if (own->position_rank > 0) {
        const int32_t depth = own->position_rank;
        const int8_t *places = own->positions + tile->first * depth;
        for (int32_t i = 0; wide && i < count * depth; i++) {
            values[i] = (int16_t)(places[i] * own->position_multiplier);
        }
        tinyc_pack_rows(wide ? (const void *)values : places, wide, depth, depth, count, end);
    }
    const int8_t *weights = layer->weights;
    for (int32_t unit = 0; unit < own->units; unit += 2, weights += 2 * step) {
        int32_t sums[8];
        tinyc_dot_rows(scratch, weights, weights + step, layer->chunks, count, sums);
        for (int32_t low = 0; low < 2 && unit + low < own->units; low++) {
            for (int32_t row = 0; row < count; row++) {
                const int32_t sum = sums[4 * low + row] + (segments[row] != 0 ? segments[row][unit + low] : 0);
                tinyc_set_element(output, own->output_wide, row * own->units + unit + low,
                                  tinyc_smmulr(sum, own->multiplier[unit + low]));
            }
        }
    }
}
