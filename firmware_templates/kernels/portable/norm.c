TINYC_KERNEL void tinyc_norm__portable(const struct tinyc_norm *layer, const void *const *inputs, void *output,
                                       void *scratch, const struct tinyc_tile *tile) {
    const int32_t depth = layer->depth;
    (void)scratch;
    for (int32_t row = 0; row < tile->count; row++) {
        const int32_t start = row * depth;
        int32_t mean = 0;
        if (layer->centred) {
            int32_t sum = 0;
            for (int32_t i = 0; i < depth; i++) {
                sum += tinyc_element(inputs[0], layer->input_wide, start + i);
            }
            mean = tinyc_multiply_high(sum, layer->mean_multiplier);
        }
        uint64_t power = (uint64_t)layer->epsilon;
        for (int32_t i = 0; i < depth; i++) {
            const int32_t x =
                tinyc_clamp(tinyc_element(inputs[0], layer->input_wide, start + i) - mean, -32768, 32767);
            power += (uint32_t)(x * x);
        }
        const struct tinyc_row_scale scale = tinyc_row_scale(layer, power);
        const int32_t half = (int32_t)(1u << (scale.shift - 1));
        for (int32_t i = 0; i < depth; i++) {
            const int32_t x =
                tinyc_clamp(tinyc_element(inputs[0], layer->input_wide, start + i) - mean, -32768, 32767);
            int32_t y = (int32_t)((uint32_t)(x * scale.multiplier) + (uint32_t)half) >> scale.shift;
            if (layer->has_gains) {
                y = (tinyc_clamp(y, -32768, 32767) * layer->gains[i] + layer->offsets[i]) >> layer->gain_shift;
            }
            tinyc_set_element(output, layer->output_wide, start + i, y);
        }
    }
}
