TINYC_KERNEL void tinyc_average_pool_2d_s8__portable(const struct tinyc_pool_2d *layer,
                                                     const int8_t *input, int8_t *output) {
    const int32_t channels = layer->channels;
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            for (int32_t x = 0; x < layer->output_width; x++) {
                const struct tinyc_window window = tinyc_pool_window(layer, y, x);
                const int32_t count = window.rows * window.columns;
                int32_t channel = 0;
                /* Four channels at a time share the loop over the window. */
                for (; channel + 4 <= channels; channel += 4) {
                    int32_t position = window.first + channel;
                    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
                    for (int32_t row = window.rows; row > 0; row--) {
                        for (int32_t column = window.columns; column > 0; column--) {
                            sum0 += input[position];
                            sum1 += input[position + 1];
                            sum2 += input[position + 2];
                            sum3 += input[position + 3];
                            position += channels;
                        }
                        position += window.row_step;
                    }
                    output[channel] = (int8_t)tinyc_pool_mean(layer, sum0, count);
                    output[channel + 1] = (int8_t)tinyc_pool_mean(layer, sum1, count);
                    output[channel + 2] = (int8_t)tinyc_pool_mean(layer, sum2, count);
                    output[channel + 3] = (int8_t)tinyc_pool_mean(layer, sum3, count);
                }
                for (; channel < channels; channel++) {
                    int32_t position = window.first + channel;
                    int32_t sum = 0;
                    for (int32_t row = window.rows; row > 0; row--) {
                        for (int32_t column = window.columns; column > 0; column--) {
                            sum += input[position];
                            position += channels;
                        }
                        position += window.row_step;
                    }
                    output[channel] = (int8_t)tinyc_pool_mean(layer, sum, count);
                }
                output += channels;
            }
        }
        input += layer->input_height * layer->input_width * channels;
    }
}
