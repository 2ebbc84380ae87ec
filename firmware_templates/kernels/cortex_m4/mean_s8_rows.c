/* One inner element: every sum is over contiguous runs. The sums fit in 30 bits, and `shift` goes to the
   right by at least 1. */
TINYC_KERNEL void tinyc_mean_s8_rows__cortex_m4(const struct tinyc_mean *layer, const int8_t *input,
                                                int8_t *output) {
    const int32_t run = layer->inner_reduced;
    const int32_t block = layer->middle * run;
    const uint32_t ones = 0x00010001u;
    for (int32_t o = 0; o < layer->outer; o++) {
        for (int32_t m = 0; m < layer->middle; m++) {
            uint32_t sum = (uint32_t)layer->sum_offset;
            for (int32_t r = 0; r < layer->reduced; r++) {
                const int8_t *from = input + r * block + m * run;
                const int8_t *const words_end = from + (run & ~3);
                const int8_t *const end = from + run;
                while (from != words_end) {
                    const uint32_t word = tinyc_take_word(&from);
                    sum = tinyc_smlad(tinyc_sxtb16(word), ones, sum);
                    sum = tinyc_smlad(tinyc_sxtb16_odd(word), ones, sum);
                }
                while (from != end) {
                    sum += (uint32_t)(int32_t)*from++;
                }
            }
            *output++ = tinyc_output_s8(sum, layer->multiplier, -layer->shift - 1, 2 * layer->output_offset + 1);
        }
        input += layer->reduced * block;
    }
}
