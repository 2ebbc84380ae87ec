/* Elements of any size whose zero point is made of equal bytes. */
TINYC_KERNEL void tinyc_pad_x8__portable(const struct tinyc_move *layer, const void *input, void *output) {
    memset(output, (int)layer->fill, (size_t)layer->output_bytes);
    tinyc_move_bytes(layer, (const uint8_t *)input, (uint8_t *)output);
}
