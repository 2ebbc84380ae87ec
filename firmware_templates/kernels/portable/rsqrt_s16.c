TINYC_KERNEL void tinyc_rsqrt_s16__portable(const struct tinyc_rsqrt *layer, const int16_t *input,
                                            int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        int32_t y = INT16_MAX;
        if (input[i] > 0) {
            int32_t shift;
            const int32_t root = tinyc_inverse_square_root(input[i], &shift);
            const int32_t fraction = tinyc_requantize(1, root, shift + 20);
            y = tinyc_requantize(fraction, layer->multiplier, layer->shift);
        }
        output[i] = (int16_t)tinyc_clamp(y, INT16_MIN, INT16_MAX);
    }
}
