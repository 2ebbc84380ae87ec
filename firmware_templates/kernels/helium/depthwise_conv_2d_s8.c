/* Points `taps` at the pixels under one window, outside of the image at `padding`. */
TINYC_INLINE void tinyc_mve_point(const struct tinyc_mve_depthwise *layer, const int8_t *image, int32_t top,
                                  int32_t left, const int8_t *padding, const int8_t **taps) {
    const int32_t width = layer->input_width, channels = layer->input_channels;
    for (int32_t row = 0, y = top; row < layer->kernel_height; row++, y += layer->dilation_height) {
        /* As an unsigned number, a column left of the image is beyond its right edge. */
        const uint32_t columns = (uint32_t)y < (uint32_t)layer->input_height ? (uint32_t)width : 0u;
        const int32_t line = y * width;
        int32_t x = left;
        for (int32_t tap = 0; tap < layer->kernel_width; tap++, x += layer->dilation_width) {
            *taps++ = (uint32_t)x < columns ? image + (line + x) * channels : padding;
        }
    }
}

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
    struct tinyc_mve_taps run = tinyc_mve_taps_of(layer, channels, output, scratch);
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
                    tinyc_mve_move(run.taps, count, step);
                } else {
                    tinyc_mve_point(layer, input, top, left, padding, run.taps);
                }
                tinyc_mve_depthwise_run(&run);
                run.output += channels;
            }
        }
    }
}
