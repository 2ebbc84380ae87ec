/* Works in place. */
TINYC_KERNEL void tinyc_cumsum_f32__portable(const struct tinyc_cumsum_f32 *layer, const float *input,
                                            float *output) {
    const int32_t block = layer->depth * layer->inner;
    const int32_t step = layer->reverse ? -layer->inner : layer->inner;
    for (int32_t o = layer->outer; o > 0; o--) {
        for (int32_t i = 0; i < layer->inner; i++) {
            int32_t position = layer->reverse ? block - layer->inner + i : i;
            float before = 0.0f;
            for (int32_t d = layer->depth; d > 0; d--) {
                const float with = before + input[position];
                output[position] = layer->exclusive ? before : with;
                before = with;
                position += step;
            }
        }
        input += block;
        output += block;
    }
}
