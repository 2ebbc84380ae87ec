/* Elements of any size whose zero point is made of equal bytes. */
TINYC_KERNEL void tinyc_space_to_batch_nd_x8__portable(const struct tinyc_space_batch *layer, const void *input,
                                                       void *output) {
    const uint8_t *from = (const uint8_t *)input;
    memset(output, (int)layer->fill, (size_t)layer->part_bytes);
    for (int32_t image = 0; image < layer->images; image++) {
        for (int32_t y = 0; y < layer->whole[0]; y++) {
            for (int32_t x = 0; x < layer->whole[1]; x++, from += layer->run) {
                memcpy((uint8_t *)output + tinyc_space_batch_place(layer, image, y, x), from, (size_t)layer->run);
            }
        }
    }
}
