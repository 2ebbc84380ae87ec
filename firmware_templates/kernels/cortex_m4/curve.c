/* Four at a time. Tables begin with the entry of x = 0: bytes of x are read as unsigned. */
TINYC_KERNEL void tinyc_curve__cortex_m4(const struct tinyc_curve *layer, const void *const *inputs, void *output,
                                         void *scratch, const struct tinyc_tile *tile) {
    const int8_t *x = inputs[0];
    const int32_t count = tile->count * layer->units;
    const int8_t *const words_end = x + (count & ~3), *const end = x + count;
    (void)scratch;
    if (layer->table_16 != 0) {
        const uint16_t *const table = (const uint16_t *)layer->table_16;
        int16_t *y = output;
        while (x != words_end) {
            const uint32_t word = tinyc_take_word(&x);
            tinyc_store_word(y, tinyc_pack_bottoms(table[word & 0xffu], table[word >> 8 & 0xffu]));
            tinyc_store_word(y + 2, tinyc_pack_bottoms(table[word >> 16 & 0xffu], table[word >> 24]));
            y += 4;
        }
        while (x != end) {
            *y++ = (int16_t)table[(uint8_t)*x++];
        }
    } else {
        const uint8_t *const table = (const uint8_t *)layer->table_8;
        int8_t *y = output;
        while (x != words_end) {
            const uint32_t word = tinyc_take_word(&x);
            tinyc_put_word(&y, tinyc_join_bytes(table[word & 0xffu], table[word >> 8 & 0xffu],
                                                table[word >> 16 & 0xffu], table[word >> 24]));
        }
        while (x != end) {
            *y++ = (int8_t)table[(uint8_t)*x++];
        }
    }
}
