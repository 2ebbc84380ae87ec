TINYC_KERNEL void tinyc_resize_bilinear_f32__portable(const struct tinyc_resize_bilinear_f32 *layer,
                                                     const float *input, float *output) {
    const int32_t channels = layer->channels, pitch = layer->extents[1] * channels;
    for (int32_t image = 0; image < layer->batch; image++, input += layer->extents[0] * pitch) {
        for (int32_t y = 0; y < layer->size[0]; y++) {
            const struct tinyc_resize_pair_f32 row = tinyc_resize_place_f32(layer, 0, y);
            const float *above = input + row.lower * pitch, *below = input + row.upper * pitch;
            const float upper_part = row.part, lower_part = 1.0f - row.part;
            for (int32_t x = 0; x < layer->size[1]; x++) {
                const struct tinyc_resize_pair_f32 column = tinyc_resize_place_f32(layer, 1, x);
                const int32_t left = column.lower * channels, right = column.upper * channels;
                const float right_part = column.part, left_part = 1.0f - column.part;
                for (int32_t c = 0; c < channels; c++) {
                    float sum = 0.0f;
                    sum += tinyc_float_product(above[left + c] * lower_part, left_part);
                    sum += tinyc_float_product(below[left + c] * upper_part, left_part);
                    sum += tinyc_float_product(above[right + c] * lower_part, right_part);
                    sum += tinyc_float_product(below[right + c] * upper_part, right_part);
                    *output++ = sum;
                }
            }
        }
    }
}
