/* Works in place. The element types are int8_t or uint8_t; only their bytes matter. */
TINYC_KERNEL void tinyc_lookup_s8__cortex_m4(const struct tinyc_lookup *layer, const void *input, void *output) {
    const uint8_t *const table = layer->table;
    const int8_t *x = (const int8_t *)input;
    int8_t *y = (int8_t *)output;
    int8_t *const words_end = y + (layer->count & ~3);
    int8_t *const end = y + layer->count;
    while (y != words_end) {
        const uint32_t word = tinyc_take_word(&x);
        tinyc_put_word(&y, tinyc_join_bytes(table[word & 0xffu], table[word >> 8 & 0xffu],
                                            table[word >> 16 & 0xffu], table[word >> 24]));
    }
    while (y != end) {
        *y++ = (int8_t)table[(uint8_t)*x++];
    }
}
