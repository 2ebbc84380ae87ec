/* The output holds the exponentials in between. Works in place. */
TINYC_KERNEL void tinyc_softmax_s16__portable(const struct tinyc_softmax_s16 *layer, const int16_t *input,
                                              int16_t *output) {
    const int32_t depth = layer->depth;
    for (int32_t row = 0; row < layer->rows; row++) {
        int32_t largest = input[0];
        for (int32_t i = 1; i < depth; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        uint32_t sum = 0;
        for (int32_t i = 0; i < depth; i++) {
            const int32_t scaled = tinyc_requantize(input[i] - largest, layer->multiplier, layer->shift);
            const int32_t x = tinyc_clamp(scaled, -65535, 0) + INT16_MAX;
            const int32_t power = tinyc_interpolate(x, layer->exponentials);
            output[i] = (int16_t)power;
            sum += (uint32_t)power;
        }
        /* exp(0) alone is 32767, so this ends. */
        int32_t leading_zeros = 1;
        while (sum < 0x40000000u) {
            sum <<= 1;
            leading_zeros++;
        }
        const int32_t fraction = (int32_t)((sum + (1u << 13)) >> 14) - ((int32_t)3 << 15);
        const int32_t inverse =
            tinyc_interpolate(tinyc_clamp(fraction, INT16_MIN, INT16_MAX), layer->reciprocals);
        const int32_t shift = 31 - leading_zeros;
        for (int32_t i = 0; i < depth; i++) {
            const int32_t y = (output[i] * inverse + ((int32_t)1 << (shift - 1))) >> shift;
            output[i] = (int16_t)tinyc_clamp(y, 0, INT16_MAX);
        }
        input += depth;
        output += depth;
    }
}
