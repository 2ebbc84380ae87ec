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
                int32_t sum0 = layer->sum_offset, sum1 = sum0, sum2 = sum0, sum3 = sum0;
                for (int32_t r = 0; r < layer->reduced; r++) {
                    const int8_t *from = input + m * plane + r * block + first;
                    int32_t left = layer->inner_reduced;
                    while (left > 0) {
                        const int32_t count = left < TINYC_MOST_SUMMANDS ? left : TINYC_MOST_SUMMANDS;
                        const struct tinyc_sums none = {0, 0};
                        const struct tinyc_sums sums = tinyc_sum_pixels(none, &from, inner, count);
                        sum0 += tinyc_bottom(sums.even);
                        sum1 += tinyc_bottom(sums.odd);
                        sum2 += tinyc_top(sums.even);
                        sum3 += tinyc_top(sums.odd);
                        left -= count;
                    }
                }
                int8_t *const target = output + first;
                target[0] = tinyc_output_s8((uint32_t)sum0, multiplier, right, offset);
                target[1] = tinyc_output_s8((uint32_t)sum1, multiplier, right, offset);
                target[2] = tinyc_output_s8((uint32_t)sum2, multiplier, right, offset);
                target[3] = tinyc_output_s8((uint32_t)sum3, multiplier, right, offset);
            }
            output += inner;
        }
        input += layer->reduced * block;
    }
}
