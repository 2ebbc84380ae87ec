/* Four channels at a time: first the pairs of rows r and r + 1 of each channel, four words for each r, then
 * four rows of one channel with pairs of taps. Weights: for each channel its taps in fours, 0 2 1 3, so that
 * SXTB16 gives pairs. The scratch holds the pairs. */
TINYC_KERNEL void tinyc_row_pairs__cortex_m4(const int8_t *input, int32_t channels, int32_t offset, int32_t missing,
                                             int32_t rows, uint32_t *pairs) {
    const uint32_t offsets = tinyc_pack_bottoms((uint32_t)offset, (uint32_t)offset);
    uint32_t even = 0, odd = 0;
    for (; missing > 0; missing--, rows--, pairs += 4) {
        pairs[0] = pairs[1] = pairs[2] = pairs[3] = 0;
    }
    for (; rows > 0; rows--, input += channels, pairs += 4) {
        const uint32_t word = tinyc_load_word(input);
        const uint32_t next_even = tinyc_sadd16(tinyc_sxtb16(word), offsets);
        const uint32_t next_odd = tinyc_sadd16(tinyc_sxtb16_odd(word), offsets);
        /* The pair that this row ends. */
        pairs[-4] = tinyc_pack_bottoms(even, next_even);
        pairs[-3] = tinyc_pack_bottoms(odd, next_odd);
        pairs[-2] = tinyc_pack_tops(even, next_even);
        pairs[-1] = tinyc_pack_tops(odd, next_odd);
        even = next_even;
        odd = next_odd;
    }
}

/* Four rows of one channel. */
TINYC_INLINE void tinyc_taps__cortex_m4(const uint32_t *pairs, const int8_t *weights, int32_t taps, uint32_t bias,
                                        uint32_t sums[4]) {
    uint32_t a = bias, b = bias, c = bias, d = bias;
    uint32_t first = pairs[0], second = pairs[4];
    const tinyc_word *words = (const tinyc_word *)(const void *)weights;
    for (const int8_t *end = weights + taps; (const int8_t *)words < end; pairs += 16) {
        uint32_t low, high;
        tinyc_split_bytes(tinyc_next_word(&words), &low, &high);
        a = tinyc_smlad(low, first, a);
        b = tinyc_smlad(low, second, b);
        first = pairs[8];
        second = pairs[12];
        c = tinyc_smlad(low, first, c);
        d = tinyc_smlad(low, second, d);
        a = tinyc_smlad(high, first, a);
        b = tinyc_smlad(high, second, b);
        first = pairs[16];
        second = pairs[20];
        c = tinyc_smlad(high, first, c);
        d = tinyc_smlad(high, second, d);
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

TINYC_KERNEL void tinyc_depthwise_conv_1d__cortex_m4(const struct tinyc_depthwise_conv_1d *layer,
                                                     const void *const *inputs, void *output, void *scratch,
                                                     const struct tinyc_tile *tile) {
    const int32_t channels = layer->channels, taps = layer->taps, count = tile->count;
    const int32_t start = tile->first - (taps - 1), missing = start < 0 ? -start : 0;
    const int8_t *weights = layer->weights;
    uint32_t *pairs = (uint32_t *)scratch + 4;
    for (int32_t channel = 0; channel < channels; channel += 4) {
        const int8_t *input = (const int8_t *)inputs[0] + (start + missing) * channels + channel;
        tinyc_row_pairs__cortex_m4(input, channels, layer->input_offset, missing, taps - 1 + count, pairs);
        for (int32_t lane = 0; lane < 4; lane++, weights += taps) {
            const int32_t own = channel + lane, multiplier = layer->multiplier[own];
            uint32_t sums[4];
            tinyc_taps__cortex_m4(pairs + lane, weights, taps, (uint32_t)layer->bias[own], sums);
            for (int32_t row = 0; row < count; row++) {
                tinyc_set_element(output, layer->output_wide, row * channels + own,
                                  tinyc_smmulr((int32_t)sums[row], multiplier) + layer->output_offset);
            }
        }
    }
}
