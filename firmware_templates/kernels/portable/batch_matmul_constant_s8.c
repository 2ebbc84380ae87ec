/* One operand is a constant in flash. */
TINYC_KERNEL void tinyc_batch_matmul_constant_s8__portable(const struct tinyc_batch_matmul *layer,
                                                        const int8_t *input, int8_t *output) {
    tinyc_matmul_loops(layer, layer->swapped ? layer->constant : input, layer->swapped ? input : layer->constant,
       output);
}
