/* Works in place. The element types are int8_t or uint8_t; only their bytes matter. */
TINYC_KERNEL void tinyc_lookup_s8__portable(const struct tinyc_lookup *layer, const void *input,
                                            void *output) {
    const uint8_t *table = layer->table;
    const uint8_t *x = (const uint8_t *)input;
    uint8_t *y = (uint8_t *)output;
    for (int32_t i = layer->count; i > 0; i--) {
        *y++ = table[*x++];
    }
}
