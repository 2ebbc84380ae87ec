/* Four channels at a time: their rows are written as columns of int16, then four rows of one channel are
 * computed with pairs of taps. Weights: for each channel its taps in fours, 0 2 1 3, so that SXTB16 gives pairs.
 * The scratch holds the four columns. */
TINYC_KERNEL void tinyc_depthwise_conv_1d__cortex_m4(const struct tinyc_depthwise_conv_1d *layer,
                                                     const void *const *inputs, void *output, void *scratch,
                                                     const struct tinyc_tile *tile) {
    const int32_t channels = layer->channels, taps = (layer->taps + 3) & ~3, pitch = taps + 4;
    const int32_t offset = layer->input_offset, start = tile->first - (taps - 1);
    const int8_t *weights = layer->weights;
    int16_t *columns = scratch;
    for (int32_t channel = 0; channel < channels; channel += 4) {
        for (int32_t i = 0; i < taps - 1 + tile->count; i++) {
            const int32_t row = start + i;
            if (row < 0) {
                columns[i] = columns[pitch + i] = columns[2 * pitch + i] = columns[3 * pitch + i] = 0;
                continue;
            }
            const uint32_t word = tinyc_load_word((const int8_t *)inputs[0] + row * channels + channel);
            const uint32_t even = tinyc_sxtb16(word), odd = tinyc_sxtb16_odd(word);
            columns[i] = (int16_t)(tinyc_bottom(even) + offset);
            columns[pitch + i] = (int16_t)(tinyc_bottom(odd) + offset);
            columns[2 * pitch + i] = (int16_t)(tinyc_top(even) + offset);
            columns[3 * pitch + i] = (int16_t)(tinyc_top(odd) + offset);
        }
        for (int32_t lane = 0; lane < 4; lane++, weights += taps) {
            const int16_t *x = columns + lane * pitch;
            const int32_t own = channel + lane, bias = layer->bias[own], multiplier = layer->multiplier[own];
            uint32_t sums[4] = {(uint32_t)bias, (uint32_t)bias, (uint32_t)bias, (uint32_t)bias};
            uint32_t even = tinyc_load_word(x), odd = tinyc_load_word(x + 1);
            for (int32_t tap = 0; tap < taps; tap += 4) {
                uint32_t first, second;
                tinyc_split_bytes(tinyc_load_word(weights + tap), &first, &second);
                sums[0] = tinyc_smlad(first, even, sums[0]);
                sums[1] = tinyc_smlad(first, odd, sums[1]);
                even = tinyc_load_word(x + tap + 2);
                odd = tinyc_load_word(x + tap + 3);
                sums[2] = tinyc_smlad(first, even, sums[2]);
                sums[3] = tinyc_smlad(first, odd, sums[3]);
                sums[0] = tinyc_smlad(second, even, sums[0]);
                sums[1] = tinyc_smlad(second, odd, sums[1]);
                even = tinyc_load_word(x + tap + 4);
                odd = tinyc_load_word(x + tap + 5);
                sums[2] = tinyc_smlad(second, even, sums[2]);
                sums[3] = tinyc_smlad(second, odd, sums[3]);
            }
            for (int32_t row = 0; row < tile->count; row++) {
                tinyc_set_element(output, layer->output_wide, row * channels + own,
                                  tinyc_smmulr((int32_t)sums[row], multiplier) + layer->output_offset);
            }
        }
    }
}
