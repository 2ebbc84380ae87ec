/* Works in place. An element counts 2^19 in the accumulator: from 4096 on sums stay at its end. */
TINYC_KERNEL void tinyc_cumsum_s8__portable(const struct tinyc_cumsum *layer, const int8_t *input,
                                            int8_t *output) {
    const int32_t block = layer->depth * layer->inner;
    const int32_t step = layer->reverse ? -layer->inner : layer->inner;
    for (int32_t o = layer->outer; o > 0; o--) {
        for (int32_t i = 0; i < layer->inner; i++) {
            int32_t position = layer->reverse ? block - layer->inner + i : i;
            int32_t before = layer->input_offset;
            for (int32_t d = layer->depth; d > 0; d--) {
                const int32_t with = before + input[position] + layer->input_offset;
                const int32_t sum = tinyc_clamp(layer->exclusive ? before : with, -4096, 4095);
                const int32_t y = tinyc_requantize(sum * ((int32_t)1 << 19), layer->multiplier, layer->shift);
                output[position] = (int8_t)tinyc_clamp(y + layer->output_offset, INT8_MIN, INT8_MAX);
                before = with;
                position += step;
            }
        }
        input += block;
        output += block;
    }
}
