/* Two activations; scratch as in tinyc_matmul_blocks.h. */
TINYC_KERNEL void tinyc_batch_matmul_s8__cortex_m4(const struct tinyc_batch_matmul *layer, const int8_t *x,
                                               const int8_t *y, int8_t *output, void *scratch) {
    tinyc_matmul_blocks(layer, layer->swapped ? y : x, layer->swapped ? x : y, output, scratch);
}
