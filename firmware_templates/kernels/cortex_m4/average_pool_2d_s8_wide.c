/* Windows of any size. At least four channels; the last four may overlap those before. */
TINYC_KERNEL void tinyc_average_pool_2d_s8_wide__cortex_m4(const struct tinyc_pool_2d *layer,
                                                           const int8_t *input, int8_t *output) {
    const int32_t channels = layer->channels;
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            for (int32_t x = 0; x < layer->output_width; x++) {
                const struct tinyc_window window = tinyc_pool_solid_window(layer, y, x);
                const int32_t count = window.rows * window.columns;
                for (int32_t channel = 0; channel < channels; channel += 4) {
                    const int32_t first = channel <= channels - 4 ? channel : channels - 4;
                    const int8_t *from = input + window.first + first;
                    int32_t sums[4] = {0, 0, 0, 0};
                    for (int32_t row = window.rows; row > 0; row--) {
                        tinyc_sum_many_pixels(sums, &from, channels, window.columns);
                        from += window.row_step;
                    }
                    for (int32_t j = 0; j < 4; j++) {
                        output[first + j] = (int8_t)tinyc_pool_mean(layer, sums[j], count);
                    }
                }
                output += channels;
            }
        }
        input += layer->input_height * layer->input_width * channels;
    }
}
