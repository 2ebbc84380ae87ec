/* At least four inner elements; the last four may overlap those before. The sums fit in 30 bits, and
   `shift` goes to the right by at least 1. */
TINYC_KERNEL void tinyc_mean_s8__cortex_m4(const struct tinyc_mean *layer, const int8_t *input, int8_t *output) {
    const int32_t inner = layer->inner;
    const int32_t plane = layer->inner_reduced * inner;
    const int32_t block = layer->middle * plane;
    const int32_t multiplier = layer->multiplier, right = -layer->shift - 1;
    const int32_t offset = 2 * layer->output_offset + 1;
    for (int32_t o = 0; o < layer->outer; o++) {
        for (int32_t m = 0; m < layer->middle; m++) {
            for (int32_t i = 0; i < inner; i += 4) {
                const int32_t first = i <= inner - 4 ? i : inner - 4;
                int32_t sums[4] = {layer->sum_offset, layer->sum_offset, layer->sum_offset, layer->sum_offset};
                for (int32_t r = 0; r < layer->reduced; r++) {
                    const int8_t *from = input + m * plane + r * block + first;
                    tinyc_sum_many_pixels(sums, &from, inner, layer->inner_reduced);
                }
                for (int32_t j = 0; j < 4; j++) {
                    output[first + j] = tinyc_output_s8((uint32_t)sums[j], multiplier, right, offset);
                }
            }
            output += inner;
        }
        input += layer->reduced * block;
    }
}
