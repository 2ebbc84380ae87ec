/* At least four channels; the last four may overlap those before. */
TINYC_KERNEL void tinyc_max_pool_2d_s8__cortex_m4(const struct tinyc_pool_2d *layer, const int8_t *input,
                                                  int8_t *output) {
    const int32_t channels = layer->channels;
    const uint32_t lows = tinyc_four_bytes(layer->low), highs = tinyc_four_bytes(layer->high);
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            for (int32_t x = 0; x < layer->output_width; x++) {
                const struct tinyc_window window = tinyc_pool_solid_window(layer, y, x);
                for (int32_t channel = 0; channel < channels; channel += 4) {
                    const int32_t first = channel <= channels - 4 ? channel : channels - 4;
                    const int8_t *from = input + window.first + first;
                    uint32_t most = lows;
                    for (int32_t row = window.rows; row > 0; row--) {
                        most = tinyc_max_pixels(most, &from, channels, window.columns);
                        from += window.row_step;
                    }
                    tinyc_store_word(output + first, tinyc_min_bytes(most, highs));
                }
                output += channels;
            }
        }
        input += layer->input_height * layer->input_width * channels;
    }
}
