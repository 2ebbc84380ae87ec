/* Works in place. */
TINYC_KERNEL void tinyc_softmax_s8__portable(const struct tinyc_softmax *layer, const int8_t *input,
                                             int8_t *output) {
    const int32_t depth = layer->depth;
    for (int32_t row = 0; row < layer->rows; row++) {
        int32_t largest = input[0];
        for (int32_t i = 1; i < depth; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        uint32_t sum = 0; /* 12 integer bits */
        for (int32_t i = 0; i < depth; i++) {
            const int32_t below = largest - input[i];
            if (below < layer->entries) {
                sum += ((uint32_t)layer->exponentials[below] + 2048u) >> 12;
            }
        }
        /* The largest element alone adds 2^19, so this ends. */
        int32_t leading_zeros = 0;
        while (sum < 0x80000000u) {
            sum <<= 1;
            leading_zeros++;
        }
        const int32_t inverse = tinyc_one_over_one_plus((int32_t)(sum - 0x80000000u));
        const int32_t exponent = 35 - leading_zeros;
        for (int32_t i = 0; i < depth; i++) {
            const int32_t below = largest - input[i];
            int32_t y = 0;
            if (below < layer->entries && exponent < 32) {
                const uint32_t product = (uint32_t)tinyc_scale(inverse, layer->exponentials[below]);
                y = (int32_t)((product + ((uint32_t)1 << (exponent - 1))) >> exponent);
            }
            output[i] = (int8_t)(y > 255 ? INT8_MAX : y - 128);
        }
        input += depth;
        output += depth;
    }
}
