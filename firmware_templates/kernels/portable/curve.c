TINYC_KERNEL void tinyc_curve__portable(const struct tinyc_curve *layer, const void *const *inputs, void *output,
                                        void *scratch, const struct tinyc_tile *tile) {
    const int8_t *input = inputs[0], *end = input + tile->count * layer->units;
    (void)scratch;
    if (layer->table_16 != 0) {
        const int16_t *table = layer->table_16 + 128;
        for (int16_t *to = output; input < end; input++, to++) {
            *to = table[*input];
        }
    } else {
        const int8_t *table = layer->table_8 + 128;
        for (int8_t *to = output; input < end; input++, to++) {
            *to = table[*input];
        }
    }
}
