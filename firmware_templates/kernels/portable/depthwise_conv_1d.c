TINYC_KERNEL void tinyc_depthwise_conv_1d__portable(const struct tinyc_depthwise_conv_1d *layer,
                                                    const void *const *inputs, void *output, void *scratch,
                                                    const struct tinyc_tile *tile) {
    const int8_t *input = inputs[0];
    const int32_t channels = layer->channels;
    (void)scratch;
    for (int32_t row = 0; row < tile->count; row++) {
        const int32_t start = tile->first + row - (layer->taps - 1);
        for (int32_t channel = 0; channel < channels; channel++) {
            int32_t acc = layer->bias[channel];
            for (int32_t tap = start < 0 ? -start : 0; tap < layer->taps; tap++) {
                acc += layer->weights[tap * channels + channel] *
                       (input[(start + tap) * channels + channel] + layer->input_offset);
            }
            tinyc_set_element(output, layer->output_wide, row * channels + channel,
                              tinyc_multiply_high(acc, layer->multiplier[channel]) + layer->output_offset);
        }
    }
}
