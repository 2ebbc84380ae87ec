/* Two activations. */
TINYC_KERNEL void tinyc_batch_matmul_s8__portable(const struct tinyc_batch_matmul *layer, const int8_t *x,
                                               const int8_t *y, int8_t *output) {
    tinyc_matmul_loops(layer, layer->swapped ? y : x, layer->swapped ? x : y, output);
}
