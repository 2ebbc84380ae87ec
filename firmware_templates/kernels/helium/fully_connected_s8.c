/* Rows of inputs that lie one behind the other; the pixels of a pointwise convolution are such rows.
 * Scratch: TINYC_MVE_HEAD, then the sums of three rows. */
TINYC_KERNEL void tinyc_fully_connected_s8__helium(const struct tinyc_mve_matrix *layer, const int8_t *input,
                                                   int8_t *output, void *scratch) {
    int32_t *const sums = (int32_t *)scratch + TINYC_MVE_HEAD / 4;
    int32_t rows = layer->rows;
    for (; rows >= 3; rows -= 3, input += 3 * layer->depth, output += 3 * layer->outputs) {
        tinyc_mve_matrix_three(layer, input, layer->depth, output, sums);
    }
    for (; rows > 0; rows--, input += layer->depth, output += layer->outputs) {
        tinyc_mve_matrix_one(layer, input, output, sums);
    }
}
