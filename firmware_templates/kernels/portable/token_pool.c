TINYC_KERNEL void tinyc_token_pool__portable(const struct tinyc_token_pool *layer, const void *const *inputs,
                                             void *output, void *scratch, const struct tinyc_tile *tile) {
    int16_t *pooled = output;
    (void)scratch;
    for (int32_t i = 0; i < layer->depth; i++) {
        int32_t y;
        if (layer->is_rms) {
            uint64_t power = 0;
            for (int32_t row = 0; row < tile->length; row++) {
                const int32_t x = tinyc_element(inputs[0], layer->input_wide, row * layer->depth + i);
                power += (uint32_t)(x * x);
            }
            power = tinyc_divide(power, (uint32_t)tile->length);
            y = tinyc_multiply_high((int32_t)tinyc_square_root((uint64_t)(power > 0 ? power : 1) << 16), layer->ratio);
        } else {
            int32_t sum = 0;
            for (int32_t row = 0; row < tile->length; row++) {
                sum += tinyc_element(inputs[0], layer->input_wide, row * layer->depth + i);
            }
            y = tinyc_multiply_high(sum * 16, layer->ratio / tile->length);
        }
        pooled[i] = (int16_t)tinyc_clamp(y, -32768, 32767);
    }
}
