/* Rows of inputs that lie one behind the other; the pixels of a pointwise convolution are such rows.
 * Scratch: TINYC_MVE_HEAD, then the sums of three rows. */
TINYC_KERNEL void tinyc_fully_connected_s8__helium(const struct tinyc_mve_matrix *layer, const int8_t *input,
                                                   int8_t *output, void *scratch) {
    struct tinyc_mve_product product = tinyc_mve_product_of(layer, (int32_t *)scratch + TINYC_MVE_HEAD / 4);
    int32_t rows = layer->rows;
    for (; rows >= 3; rows -= 3, input += 3 * layer->depth, output += 3 * layer->outputs) {
        tinyc_mve_three(&product, input, layer->depth, output);
    }
    for (; rows > 0; rows--, input += layer->depth, output += layer->outputs) {
        tinyc_mve_one(&product, input, output);
    }
}
