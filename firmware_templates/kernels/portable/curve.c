TINYC_KERNEL void tinyc_curve__portable(const struct tinyc_curve *layer, const void *const *inputs, void *output,
                                        void *scratch, const struct tinyc_tile *tile) {
    const int8_t *input = inputs[0];
    (void)scratch;
    for (int32_t i = 0; i < tile->count * layer->units; i++) {
        if (layer->table_16 != 0) {
            ((int16_t *)output)[i] = layer->table_16[input[i] + 128];
        } else {
            ((int8_t *)output)[i] = layer->table_8[input[i] + 128];
        }
    }
}
