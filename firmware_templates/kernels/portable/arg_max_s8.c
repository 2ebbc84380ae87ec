TINYC_KERNEL void tinyc_arg_max_s8__portable(const struct tinyc_arg *layer, const int8_t *input,
                                             int32_t *output) {
    const int32_t inner = layer->inner;
    for (int32_t o = layer->outer; o > 0; o--) {
        for (int32_t i = 0; i < inner; i++) {
            int32_t best = 0;
            for (int32_t d = 1; d < layer->depth; d++) {
                best = input[d * inner + i] > input[best * inner + i] ? d : best;
            }
            *output++ = best;
        }
        input += layer->depth * inner;
    }
}
