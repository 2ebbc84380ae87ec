/* Works in place. */
TINYC_KERNEL void tinyc_log_softmax_s8__portable(const struct tinyc_log_softmax *layer, const int8_t *input,
                                                 int8_t *output) {
    const int32_t depth = layer->depth;
    for (int32_t row = 0; row < layer->rows; row++) {
        int32_t largest = input[0];
        for (int32_t i = 1; i < depth; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        int32_t sum = 0; /* 12 integer bits */
        for (int32_t i = 0; i < depth; i++) {
            const int32_t below = largest - input[i];
            if (below < layer->exponential_entries) {
                sum += (int32_t)(((uint32_t)layer->exponentials[below] + 2048u) >> 12);
            }
        }
        const int32_t log = tinyc_logarithm(sum);
        for (int32_t i = 0; i < depth; i++) {
            const int32_t below = largest - input[i];
            int32_t y = INT8_MIN;
            if (below < layer->entries) {
                const int32_t difference = tinyc_requantize(-below, layer->multiplier, layer->shift);
                y = tinyc_clamp(tinyc_rounding_shift(difference - log, 22) + INT8_MAX, INT8_MIN, INT8_MAX);
            }
            output[i] = (int8_t)y;
        }
        input += depth;
        output += depth;
    }
}
