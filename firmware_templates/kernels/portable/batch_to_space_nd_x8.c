/* Elements of any size; only their bytes matter. */
TINYC_KERNEL void tinyc_batch_to_space_nd_x8__portable(const struct tinyc_space_batch *layer, const void *input,
                                                       void *output) {
    uint8_t *to = (uint8_t *)output;
    for (int32_t image = 0; image < layer->images; image++) {
        for (int32_t y = 0; y < layer->whole[0]; y++) {
            for (int32_t x = 0; x < layer->whole[1]; x++, to += layer->run) {
                memcpy(to, (const uint8_t *)input + tinyc_space_batch_place(layer, image, y, x), (size_t)layer->run);
            }
        }
    }
}
