/* Pixel by pixel. Scratch: a pointer per tap (8 bytes each), then a pixel of padding. */
TINYC_KERNEL void tinyc_depthwise_conv_2d_s8__helium(const struct tinyc_mve_depthwise *layer,
                                                     const int8_t *input, int8_t *output, void *scratch) {
    const int32_t channels = layer->input_channels;
    const int32_t image = layer->input_height * layer->input_width * channels;
    const int32_t count = layer->kernel_height * layer->kernel_width;
    /* From where one pixel leaves the pointers to the next pixel of its row. */
    const int32_t step = layer->stride_width * channels - TINYC_MVE_MOVED(channels);
    const int32_t bottom = layer->input_height - (layer->kernel_height - 1) * layer->dilation_height;
    const int32_t right = layer->input_width - (layer->kernel_width - 1) * layer->dilation_width;
    int8_t *const padding = (int8_t *)scratch + 8 * count;
    struct tinyc_mve_pixel pixel = {
        .weights = layer->weights,
        .constants = layer->constants,
        .output = output,
        .channels = channels,
        .pairs = count / 2,
        .shift = layer->shift,
        .low = layer->low,
        .high = layer->high,
        .taps = scratch,
        .odd = count & 1,
    };
    tinyc_mve_fill(padding, layer->padding, channels);
    for (int32_t batch = 0; batch < layer->batches; batch++, input += image) {
        int32_t top = -layer->pad_top;
        for (int32_t y = 0; y < layer->output_height; y++, top += layer->stride_height) {
            const int32_t rows_inside = top >= 0 && top < bottom;
            int32_t left = -layer->pad_left, inside = 0;
            for (int32_t x = 0; x < layer->output_width; x++, left += layer->stride_width) {
                const int32_t before = inside;
                inside = rows_inside && left >= 0 && left < right;
                if (before && inside) {
                    tinyc_mve_move(pixel.taps, count, step);
                } else {
                    tinyc_mve_taps(layer, input, top, left, padding, pixel.taps);
                }
                tinyc_mve_depthwise_pixel(&pixel);
                pixel.output += channels;
            }
        }
    }
}
