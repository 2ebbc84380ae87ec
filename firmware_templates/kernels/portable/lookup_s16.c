/* Works in place. */
TINYC_KERNEL void tinyc_lookup_s16__portable(const struct tinyc_lookup_s16 *layer, const int16_t *input,
                                             int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        output[i] = (int16_t)tinyc_interpolate(input[i], layer->table);
    }
}
