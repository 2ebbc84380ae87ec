TINYC_KERNEL void tinyc_max_pool_2d_s8__portable(const struct tinyc_pool_2d *layer, const int8_t *input,
                                                 int8_t *output) {
    const int32_t channels = layer->channels;
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            for (int32_t x = 0; x < layer->output_width; x++) {
                const struct tinyc_window window = tinyc_pool_window(layer, y, x);
                int32_t channel = 0;
                /* Four channels at a time share the loop over the window. */
                for (; channel + 4 <= channels; channel += 4) {
                    int32_t position = window.first + channel;
                    int32_t max0 = layer->low, max1 = max0, max2 = max0, max3 = max0;
                    for (int32_t row = window.rows; row > 0; row--) {
                        for (int32_t column = window.columns; column > 0; column--) {
                            const int32_t x0 = input[position], x1 = input[position + 1];
                            const int32_t x2 = input[position + 2], x3 = input[position + 3];
                            max0 = x0 > max0 ? x0 : max0;
                            max1 = x1 > max1 ? x1 : max1;
                            max2 = x2 > max2 ? x2 : max2;
                            max3 = x3 > max3 ? x3 : max3;
                            position += channels;
                        }
                        position += window.row_step;
                    }
                    output[channel] = (int8_t)(max0 < layer->high ? max0 : layer->high);
                    output[channel + 1] = (int8_t)(max1 < layer->high ? max1 : layer->high);
                    output[channel + 2] = (int8_t)(max2 < layer->high ? max2 : layer->high);
                    output[channel + 3] = (int8_t)(max3 < layer->high ? max3 : layer->high);
                }
                for (; channel < channels; channel++) {
                    int32_t position = window.first + channel;
                    int32_t largest = layer->low;
                    for (int32_t row = window.rows; row > 0; row--) {
                        for (int32_t column = window.columns; column > 0; column--) {
                            const int32_t element = input[position];
                            largest = element > largest ? element : largest;
                            position += channels;
                        }
                        position += window.row_step;
                    }
                    output[channel] = (int8_t)(largest < layer->high ? largest : layer->high);
                }
                output += channels;
            }
        }
        input += layer->input_height * layer->input_width * channels;
    }
}
