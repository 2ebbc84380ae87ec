TINYC_KERNEL void tinyc_max_pool_2d_s16__portable(const struct tinyc_pool_2d *layer,
                                                  const int16_t *input, int16_t *output) {
    const int32_t channels = layer->channels;
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            for (int32_t x = 0; x < layer->output_width; x++) {
                const struct tinyc_window window = tinyc_pool_window(layer, y, x);
                for (int32_t channel = 0; channel < channels; channel++) {
                    int32_t position = window.first + channel;
                    int32_t largest = INT16_MIN;
                    for (int32_t row = window.rows; row > 0; row--) {
                        for (int32_t column = window.columns; column > 0; column--) {
                            const int32_t element = input[position];
                            largest = element > largest ? element : largest;
                            position += channels;
                        }
                        position += window.row_step;
                    }
                    output[channel] = (int16_t)tinyc_clamp(largest, layer->low, layer->high);
                }
                output += channels;
            }
        }
        input += layer->input_height * layer->input_width * channels;
    }
}
