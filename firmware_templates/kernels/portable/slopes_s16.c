TINYC_KERNEL void tinyc_slopes_s16__portable(const struct tinyc_slopes *layer, const int16_t *input,
                                             int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        const int32_t x = input[i];
        const int32_t y = x < 0 ? tinyc_requantize(x, layer->negative_multiplier, layer->negative_shift)
                                : tinyc_requantize(x, layer->positive_multiplier, layer->positive_shift);
        output[i] = (int16_t)tinyc_clamp(y, INT16_MIN, layer->high);
    }
}
