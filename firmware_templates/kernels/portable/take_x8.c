/* Elements of any size; only their bytes matter. */
TINYC_KERNEL void tinyc_take_x8__portable(const struct tinyc_move *layer, const void *input, void *output) {
    tinyc_move_bytes(layer, (const uint8_t *)input, (uint8_t *)output);
}
