/* Works in place. */
TINYC_KERNEL void tinyc_l2_normalization_s8__portable(const struct tinyc_l2_normalization *layer,
                                                      const int8_t *input, int8_t *output) {
    for (int32_t row = 0; row < layer->rows; row++) {
        int32_t sum = 0, shift;
        for (int32_t i = 0; i < layer->depth; i++) {
            const int32_t x = input[i] + layer->input_offset;
            sum += x * x;
        }
        const int32_t multiplier = tinyc_inverse_square_root(sum, &shift);
        for (int32_t i = 0; i < layer->depth; i++) {
            const int32_t y = tinyc_requantize(input[i] + layer->input_offset, multiplier, shift + 7);
            output[i] = (int8_t)tinyc_clamp(y, INT8_MIN, INT8_MAX);
        }
        input += layer->depth;
        output += layer->depth;
    }
}
