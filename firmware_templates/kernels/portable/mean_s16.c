TINYC_KERNEL void tinyc_mean_s16__portable(const struct tinyc_mean *layer, const int16_t *input,
                                           int16_t *output) {
    const int32_t inner = layer->inner;
    const int32_t plane = layer->inner_reduced * inner;
    const int32_t block = layer->middle * plane;
    for (int32_t o = 0; o < layer->outer; o++) {
        for (int32_t m = 0; m < layer->middle; m++) {
            for (int32_t i = 0; i < inner; i++) {
                const int32_t start = m * plane + i;
                int32_t sum = layer->sum_offset;
                for (int32_t r = 0; r < layer->reduced; r++) {
                    int32_t position = start + r * block;
                    for (int32_t k = layer->inner_reduced; k > 0; k--) {
                        sum += input[position];
                        position += inner;
                    }
                }
                sum = tinyc_requantize(sum, layer->multiplier, layer->shift) + layer->output_offset;
                *output++ = (int16_t)tinyc_clamp(sum, INT16_MIN, INT16_MAX);
            }
        }
        input += layer->reduced * block;
    }
}
