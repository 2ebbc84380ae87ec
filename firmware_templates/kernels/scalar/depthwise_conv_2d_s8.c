/* One filter per channel, each channel in turn over the pixels of the window.
 *
 * Words of four weights without extras. Scratch: a pointer per tap (8 bytes each), rounded up to four
 * with pointers to the padding, a pixel, which follows. */

/* Points `taps` at the pixels under one window, outside of the image at `padding`. */
TINYC_INLINE void tinyc_scalar_taps(const struct tinyc_scalar_conv_2d *layer, const int8_t *image, int32_t top,
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

TINYC_KERNEL void tinyc_depthwise_conv_2d_s8__scalar(const struct tinyc_scalar_conv_2d *layer,
                                                     const int8_t *input, int8_t *output, void *scratch) {
    const int32_t channels = layer->input_channels;
    const int32_t image = layer->input_height * layer->input_width * channels;
    const int32_t count = layer->kernel_height * layer->kernel_width, rounded = (count + 3) & ~3;
    const int8_t **const taps = scratch;
    const int8_t *const *const end = taps + rounded;
    int8_t *const padding = (int8_t *)scratch + 8 * rounded;

    memset(padding, layer->input_zero, (uint32_t)channels);
    for (int32_t tap = count; tap < rounded; tap++) {
        taps[tap] = padding;
    }
    for (int32_t batch = 0; batch < layer->batches; batch++, input += image) {
        int32_t top = -layer->pad_top;
        for (int32_t row = 0; row < layer->output_height; row++, top += layer->stride_height) {
            int32_t left = -layer->pad_left;
            for (int32_t column = 0; column < layer->output_width; column++, left += layer->stride_width) {
                tinyc_scalar_taps(layer, input, top, left, padding, taps);
                const uint32_t *words = layer->words;
                for (int32_t channel = 0; channel < channels; channel++) {
                    const uint32_t *const head = words;
                    const int8_t *const *tap = taps;
                    uint32_t sum = head[0];
                    words += TINYC_SCALAR_HEAD;
                    do {
                        const uint32_t w = *words++;
                        sum += tinyc_scalar_weight(w, 0) * (uint32_t)(int32_t)tap[0][channel];
                        sum += tinyc_scalar_weight(w, 1) * (uint32_t)(int32_t)tap[1][channel];
                        sum += tinyc_scalar_weight(w, 2) * (uint32_t)(int32_t)tap[2][channel];
                        sum += tinyc_scalar_weight(w, 3) * (uint32_t)(int32_t)tap[3][channel];
                        tap += 4;
                    } while (tap != end);
                    *output++ = tinyc_scalar_output(sum, (int32_t)head[1], (int32_t)head[2], &layer->range);
                }
            }
        }
    }
}
