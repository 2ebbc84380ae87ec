/* The scratch: the panel of queries of one head; then that of the numerators, padded to whole chunks of keys;
 * then the scores of four rows, and in their place the values of four channels in pairs. */
TINYC_KERNEL void tinyc_scores__cortex_m4(const uint32_t *panel, const int8_t *keys, int32_t step, int32_t chunks,
                                          int32_t length, int32_t count, int32_t *scores) {
    for (int32_t key = 0; key < length; key += 2, keys += 2 * step) {
        int32_t sums[8];
        const int32_t both = key + 1 < length;
        tinyc_dot_rows(panel, keys, both ? keys + step : keys, chunks, count, sums);
        for (int32_t row = 0; row < count; row++) {
            scores[row * length + key] = sums[row];
            if (both) {
                scores[row * length + key + 1] = sums[row + 4];
            }
        }
    }
}

/* The numerators of one row, every fourth pair of the panel. Returns their sum. */
TINYC_KERNEL uint32_t tinyc_numerators__cortex_m4(const struct tinyc_attention *layer, const int32_t *scores,
                                                  int32_t seen, int32_t padded, uint16_t *numerators) {
    const int32_t multiplier = layer->score_multiplier;
    const uint16_t *powers = layer->powers;
    int32_t largest = scores[0];
    for (int32_t key = 1; key < seen; key++) {
        largest = scores[key] > largest ? scores[key] : largest;
    }
    uint32_t total = 0;
    int32_t key = 0;
    for (; key < seen; key++) {
        const int32_t steps = tinyc_smmulr((largest - scores[key]) * 64, multiplier);
        const uint32_t power = steps > 4095 ? 0 : (uint32_t)powers[steps & 255] >> (steps >> 8);
        numerators[key / 2 * 8 + key % 2] = (uint16_t)power;
        total += power;
    }
    for (; key < padded; key++) {
        numerators[key / 2 * 8 + key % 2] = 0;
    }
    return total;
}

/* Four channels of the values, one after the other, in pairs of keys: `padded` halfwords each. */
TINYC_KERNEL void tinyc_value_pairs__cortex_m4(const int8_t *values, int32_t step, int32_t length, int32_t padded,
                                               uint32_t *pairs) {
    const int32_t words = padded / 2;
    int32_t key = 0;
    for (; key + 2 <= length; key += 2, values += 2 * step, pairs++) {
        const uint32_t first = tinyc_load_word(values), second = tinyc_load_word(values + step);
        const uint32_t a = tinyc_sxtb16(first), b = tinyc_sxtb16(second);
        pairs[0] = tinyc_pack_bottoms(a, b);
        pairs[2 * words] = tinyc_pack_tops(a, b);
        const uint32_t c = tinyc_sxtb16_odd(first), d = tinyc_sxtb16_odd(second);
        pairs[words] = tinyc_pack_bottoms(c, d);
        pairs[3 * words] = tinyc_pack_tops(c, d);
    }
    if (key < length) {
        const uint32_t first = tinyc_load_word(values);
        const uint32_t a = tinyc_sxtb16(first), c = tinyc_sxtb16_odd(first);
        pairs[0] = a & 0xffffu;
        pairs[words] = c & 0xffffu;
        pairs[2 * words] = a >> 16;
        pairs[3 * words] = c >> 16;
        pairs++;
        key += 2;
    }
    for (; key < padded; key += 2, pairs++) {
        pairs[0] = pairs[words] = pairs[2 * words] = pairs[3 * words] = 0;
    }
}

TINYC_KERNEL void tinyc_attention__cortex_m4(const struct tinyc_attention *layer, const void *const *inputs,
                                             void *output, void *scratch, const struct tinyc_tile *tile) {
    const int32_t depth = layer->depth, width = layer->width, count = tile->count, length = tile->length;
    const int32_t key_step = layer->heads * depth, value_step = layer->heads * width;
    const int32_t chunks = depth / TINYC_CHUNK, key_chunks = (length + TINYC_CHUNK - 1) / TINYC_CHUNK;
    const int32_t padded = key_chunks * TINYC_CHUNK;
    uint32_t *panel = scratch;
    uint32_t *numerators = panel + 2 * depth;
    int32_t *scores = (int32_t *)(void *)(numerators + 2 * padded);
    for (int32_t head = 0; head < layer->heads; head++) {
        struct tinyc_context_scale scales[4];
        const int8_t *queries = (const int8_t *)inputs[0] + head * depth;
        tinyc_pack_rows(queries, 0, depth, key_step, count, panel);
        tinyc_scores__cortex_m4(panel, (const int8_t *)inputs[1] + head * depth, key_step, chunks, length, count,
                                scores);
        for (int32_t row = 0; row < count; row++) {
            const int32_t seen = layer->causal ? tile->first + row + 1 : length;
            const uint32_t total = tinyc_numerators__cortex_m4(layer, scores + row * length, seen, padded,
                                                               (uint16_t *)(void *)(numerators + row));
            scales[row] = tinyc_context_scale(total, layer->context_multiplier);
        }
        int16_t *pairs = (int16_t *)(void *)scores;
        for (int32_t channel = 0; channel < width; channel += 4) {
            const int32_t from = head * width + channel;
            tinyc_value_pairs__cortex_m4((const int8_t *)inputs[2] + from, value_step, length, padded,
                                         (uint32_t *)(void *)pairs);
            for (int32_t two = 0; two < 4; two += 2) {
                int32_t sums[8];
                tinyc_dot_halfwords(numerators, pairs + two * padded, pairs + (two + 1) * padded, key_chunks, sums);
                for (int32_t row = 0; row < count; row++) {
                    const int32_t at = row * value_step + from + two;
                    for (int32_t low = 0; low < 2; low++) {
                        tinyc_set_element(output, layer->output_wide, at + low,
                                          tinyc_context((uint32_t)sums[4 * low + row], scales[row],
                                                        layer->context_shift));
                    }
                }
            }
        }
    }
}
