/* The smallest value stays what it is. */
TINYC_KERNEL void tinyc_neg_s16__portable(const struct tinyc_neg *layer, const int16_t *input, int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        output[i] = (int16_t)(input[i] == INT16_MIN ? INT16_MIN : -input[i]);
    }
}
