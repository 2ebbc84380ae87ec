/* One operand is a constant in flash; scratch as in tinyc_matmul_blocks.h. */
TINYC_KERNEL void tinyc_batch_matmul_constant_s8__cortex_m4(const struct tinyc_batch_matmul *layer,
                                                        const int8_t *input, int8_t *output, void *scratch) {
    tinyc_matmul_blocks(layer, layer->swapped ? layer->constant : input, layer->swapped ? input : layer->constant,
       output, scratch);
}
