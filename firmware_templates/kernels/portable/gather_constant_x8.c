/* The slices come from flash. Elements of any size; only their bytes matter. */
TINYC_KERNEL void tinyc_gather_constant_x8__portable(const struct tinyc_gather_layer *layer, const int32_t *indices,
                                                     void *output) {
    tinyc_gather_slices(layer, (const uint8_t *)layer->data, indices, (uint8_t *)output);
}
