TINYC_KERNEL void tinyc_resize_bilinear_s8__portable(const struct tinyc_resize_bilinear *layer,
                                                     const int8_t *input, int8_t *output) {
    const int32_t channels = layer->channels, pitch = layer->extents[1] * channels;
    for (int32_t image = 0; image < layer->batch; image++, input += layer->extents[0] * pitch) {
        for (int32_t y = 0; y < layer->size[0]; y++) {
            const struct tinyc_resize_pair row = tinyc_resize_place(layer, 0, y);
            const int8_t *above = input + row.lower * pitch, *below = input + row.upper * pitch;
            for (int32_t x = 0; x < layer->size[1]; x++) {
                const struct tinyc_resize_pair column = tinyc_resize_place(layer, 1, x);
                const int32_t left = column.lower * channels, right = column.upper * channels;
                for (int32_t c = 0; c < channels; c++) {
                    /* |sum| is at most 2^27 with weights of a sum of 2^20. */
                    const int32_t top = above[left + c] * column.lower_weight + above[right + c] * column.upper_weight;
                    const int32_t low = below[left + c] * column.lower_weight + below[right + c] * column.upper_weight;
                    const int32_t sum = top * row.lower_weight + low * row.upper_weight;
                    const int32_t half = TINYC_RESIZE_ONE * TINYC_RESIZE_ONE / 2;
                    *output++ = (int8_t)((sum + (sum > 0 ? half : -half)) / (TINYC_RESIZE_ONE * TINYC_RESIZE_ONE));
                }
            }
        }
    }
}
