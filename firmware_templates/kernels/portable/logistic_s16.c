/* Works in place. */
TINYC_KERNEL void tinyc_logistic_s16__portable(const struct tinyc_sigmoid *layer, const int16_t *input,
                                               int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        const int32_t x = tinyc_sigmoid_input(input[i], layer->multiplier, layer->shift);
        output[i] = (int16_t)tinyc_logistic(x, layer->table);
    }
}
