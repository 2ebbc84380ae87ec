/* The mean of up to 256 elements by their reciprocal, with 30 fraction bits and rounded up. That pushes
   the quotient away from zero, ties with it, by less than half of what lies between two quotients:
   count < 2^13. */
TINYC_INLINE uint32_t tinyc_mean_bytes(struct tinyc_sums sums, int32_t reciprocal) {
    const int32_t half = 1 << 13;
    return tinyc_join_bytes(tinyc_q14_to_s8(tinyc_smlawb(reciprocal, sums.even, half)),
                            tinyc_q14_to_s8(tinyc_smlawb(reciprocal, sums.odd, half)),
                            tinyc_q14_to_s8(tinyc_smlawt(reciprocal, sums.even, half)),
                            tinyc_q14_to_s8(tinyc_smlawt(reciprocal, sums.odd, half)));
}

/* At least four channels; the last four may overlap those before. */
TINYC_KERNEL void tinyc_average_pool_2d_s8__cortex_m4(const struct tinyc_pool_2d *layer, const int8_t *input,
                                                      int8_t *output) {
    const int32_t channels = layer->channels;
    const uint32_t lows = tinyc_four_bytes(layer->low), highs = tinyc_four_bytes(layer->high);
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            for (int32_t x = 0; x < layer->output_width; x++) {
                const struct tinyc_window window = tinyc_pool_solid_window(layer, y, x);
                const int32_t reciprocal = (1 << 30) / (window.rows * window.columns) + 1;
                for (int32_t channel = 0; channel < channels; channel += 4) {
                    const int32_t first = channel <= channels - 4 ? channel : channels - 4;
                    const int8_t *from = input + window.first + first;
                    struct tinyc_sums sums = {0, 0};
                    for (int32_t row = window.rows; row > 0; row--) {
                        sums = tinyc_sum_pixels(sums, &from, channels, window.columns);
                        from += window.row_step;
                    }
                    const uint32_t means = tinyc_mean_bytes(sums, reciprocal);
                    tinyc_store_word(output + first, tinyc_clamp_word(means, lows, highs));
                }
                output += channels;
            }
        }
        input += layer->input_height * layer->input_width * channels;
    }
}
