TINYC_KERNEL void tinyc_embedding__portable(const struct tinyc_embedding *layer, const void *const *inputs,
                                            void *output, void *scratch, const struct tinyc_tile *tile) {
    const void *ids = inputs[0];
    const int32_t separator = layer->segments != 0 ? tinyc_first_separator(layer, ids, tile->length) : 0;
    for (int32_t row = 0; row < tile->count; row++) {
        const int32_t position = tile->first + row, id = tinyc_token(layer, ids, position);
        const int32_t wide = layer->token_bits < 8;
        const void *token = wide ? scratch : layer->tokens + id * layer->rank;
        const int8_t *place = layer->positions != 0 ? layer->positions + position * layer->position_rank : 0;
        const int32_t segment = id == 0 ? 0 : (position < separator ? 1 : 2);
        if (wide) {
            tinyc_unpack_token(layer, id, scratch);
        }
        for (int32_t unit = 0; unit < layer->units; unit++) {
            int32_t y = layer->segments != 0 ? layer->segments[segment * layer->units + unit] : 0;
            if (layer->token_matrix != 0) {
                for (int32_t i = 0; i < layer->rank; i++) {
                    y += layer->token_matrix[unit * layer->rank + i] * tinyc_element(token, wide, i);
                }
                for (int32_t i = 0; i < layer->position_rank; i++) {
                    y += layer->position_matrix[unit * layer->position_rank + i] * place[i] * layer->position_multiplier;
                }
                y = tinyc_multiply_high(y, layer->multiplier[unit]);
            } else {
                y += tinyc_multiply_high(tinyc_element(token, wide, unit) * 65536, layer->multiplier[0]);
                if (layer->position_rank > 0) {
                    y += tinyc_multiply_high(place[unit] * 65536, layer->multiplier[1]);
                }
            }
            tinyc_set_element(output, layer->output_wide, row * layer->units + unit, y);
        }
    }
}
