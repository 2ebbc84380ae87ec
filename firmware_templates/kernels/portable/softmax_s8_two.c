/* Rows of two elements. What an element becomes depends only on how far it is above the other. Works in place. */
TINYC_KERNEL void tinyc_softmax_s8_two__portable(const struct tinyc_softmax_two *layer, const int8_t *input,
                                                 int8_t *output) {
    const int32_t low = layer->low, high = layer->high;
    for (int32_t row = layer->rows; row > 0; row--, input += 2, output += 2) {
        const int32_t above = input[0] - input[1];
        output[0] = layer->outputs[tinyc_clamp(above, low, high) - low];
        output[1] = layer->outputs[tinyc_clamp(-above, low, high) - low];
    }
}
