TINYC_KERNEL void tinyc_quantize_s8_s16__portable(const struct tinyc_requantize_layer *layer,
                                                  const int8_t *input, int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        const int32_t y =
            tinyc_requantize(input[i] + layer->input_offset, layer->multiplier, layer->shift);
        output[i] = (int16_t)tinyc_clamp(y + layer->output_offset, INT16_MIN, INT16_MAX);
    }
}
