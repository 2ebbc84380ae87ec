/* The scratch holds a sum of each column, from the first tile to the last. */
TINYC_KERNEL void tinyc_token_pool__portable(const struct tinyc_token_pool *layer, const void *const *inputs,
                                             void *output, void *scratch, const struct tinyc_tile *tile) {
    const int32_t is_first = tile->first == 0, is_last = tile->first + tile->count >= tile->rows;
    uint64_t *powers = scratch;
    int32_t *sums = scratch;
    for (int32_t i = 0; i < layer->depth; i++) {
        uint64_t power = is_first || !layer->is_rms ? 0 : powers[i];
        int32_t sum = is_first || layer->is_rms ? 0 : sums[i];
        for (int32_t row = 0; row < tile->count; row++) {
            const int32_t x = tinyc_element(inputs[0], layer->input_wide, row * layer->depth + i);
            power += (uint32_t)(x * x);
            sum += x;
        }
        if (is_last) {
            ((int16_t *)output)[i] = tinyc_pooled(layer, power, sum, tile->rows);
        } else if (layer->is_rms) {
            powers[i] = power;
        } else {
            sums[i] = sum;
        }
    }
}
