TINYC_INLINE int32_t tinyc_softmax_largest(const int8_t *row, int32_t depth) {
    int32_t largest = row[0];
    if (depth >= 4) {
        const int8_t *const last = row + depth - 4;
        uint32_t most = tinyc_load_word(last);
        while (row < last) {
            most = tinyc_max_bytes(tinyc_take_word(&row), most);
        }
        most = tinyc_max_bytes(most, most >> 16);
        most = tinyc_max_bytes(most, most >> 8);
        return (int8_t)(most & 0xffu);
    }
    for (int32_t i = 1; i < depth; i++) {
        largest = row[i] > largest ? row[i] : largest;
    }
    return largest;
}

/* Works in place. */
TINYC_KERNEL void tinyc_softmax_s8__cortex_m4(const struct tinyc_softmax *layer, const int8_t *input,
                                              int8_t *output) {
    const int32_t *const exponentials = layer->exponentials;
    const int32_t depth = layer->depth;
    for (int32_t row = 0; row < layer->rows; row++) {
        const int32_t largest = tinyc_softmax_largest(input, depth);
        int32_t entries = layer->entries;
        uint32_t sum = 0; /* 12 integer bits */
        for (const int8_t *x = input; x != input + depth; x++) {
            const int32_t below = largest - *x;
            if (below < entries) {
                sum += ((uint32_t)exponentials[below] + 2048u) >> 12;
            }
        }
        const int32_t leading_zeros = tinyc_leading_zeros(sum);
        const int32_t inverse = tinyc_one_over_one_plus((int32_t)((sum << leading_zeros) - 0x80000000u));
        /* round(round(inverse * e / 2^31) / 2^exponent) is one shift, once both halves are added, and
           the exponent is at least 23. From 32 on all quotients are 0. */
        int32_t exponent = 35 - leading_zeros;
        if (exponent >= 32) {
            exponent = 31;
            entries = 0;
        }
        const uint64_t halves = (uint64_t)((uint32_t)1 << (exponent - 2)) << 32 | (uint32_t)1 << 30;
        for (const int8_t *const end = output + depth; output != end; output++) {
            const int32_t below = largest - *input++;
            int32_t y = -128;
            if (below < entries) {
                const uint64_t product = halves + (uint64_t)(uint32_t)inverse * (uint32_t)exponentials[below];
                y = tinyc_to_s8((int32_t)((uint32_t)(product >> 32) >> (exponent - 1)) - 128);
            }
            *output = (int8_t)y;
        }
    }
}
