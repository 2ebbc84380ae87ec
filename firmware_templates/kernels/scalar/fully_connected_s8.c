/* Two units at a time. For each pair of units, `words` holds their struct tinyc_scalar_channel and then
 * their weights in turn, a byte each; an odd last unit has a partner of zeros. */
TINYC_KERNEL void tinyc_fully_connected_s8__scalar(const struct tinyc_scalar_fully_connected *layer,
                                                   const int8_t *input, int8_t *output) {
    const int32_t depth = layer->depth, units = layer->units;
    const uint32_t length = ((uint32_t)depth * 2u + 3u) / 4u;
    for (int32_t row = 0; row < layer->rows; row++, input += depth) {
        const uint32_t *words = layer->words;
        for (int32_t unit = 0; unit < units; unit += 2) {
            uint32_t sum0 = words[0], sum1 = words[TINYC_SCALAR_HEAD];
            const int32_t multiplier0 = (int32_t)words[1], right0 = (int32_t)words[2];
            const int32_t multiplier1 = (int32_t)words[TINYC_SCALAR_HEAD + 1u];
            const int32_t right1 = (int32_t)words[TINYC_SCALAR_HEAD + 2u];
            words += 2u * TINYC_SCALAR_HEAD;
            const int8_t *weights = (const int8_t *)words;
            const int8_t *x = input, *const end = input + depth;
            do {
                const int32_t value = *x++;
                sum0 += (uint32_t)(value * weights[0]);
                sum1 += (uint32_t)(value * weights[1]);
                weights += 2;
            } while (x != end);
            words += length;
            *output++ = tinyc_scalar_output(sum0, multiplier0, right0, layer->output_offset, layer->low,
                                            layer->high);
            if (unit + 1 < units) {
                *output++ = tinyc_scalar_output(sum1, multiplier1, right1, layer->output_offset, layer->low,
                                                layer->high);
            }
        }
    }
}
