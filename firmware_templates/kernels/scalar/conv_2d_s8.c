/* Two pixels at a time, each channel in turn: see tinyc_scalar.h.
 *
 * Scratch: the panel, a word per tap rounded up to four, then `depth` bytes of padding. */

/* Where the window of one pixel begins. */
struct tinyc_scalar_window {
    int32_t top, left;
};

/* Writes the panel of the two windows, for the filters of one group, whose input begins at `input`. */
TINYC_INLINE void tinyc_scalar_gather(const struct tinyc_scalar_conv_2d *layer, const int8_t *input,
                                      struct tinyc_scalar_window x, struct tinyc_scalar_window y,
                                      const int8_t *padding, uint32_t *panel) {
    const int32_t width = layer->input_width, channels = layer->input_channels, depth = layer->depth;
    for (int32_t row = 0; row < layer->kernel_height; row++) {
        const int32_t x_row = x.top + row * layer->dilation_height;
        const int32_t y_row = y.top + row * layer->dilation_height;
        /* As an unsigned number, a column left of the image is beyond its right edge. */
        const uint32_t x_columns = (uint32_t)x_row < (uint32_t)layer->input_height ? (uint32_t)width : 0u;
        const uint32_t y_columns = (uint32_t)y_row < (uint32_t)layer->input_height ? (uint32_t)width : 0u;
        int32_t x_column = x.left, y_column = y.left;
        for (int32_t tap = 0; tap < layer->kernel_width; tap++) {
            const int8_t *from_x =
                (uint32_t)x_column < x_columns ? input + (x_row * width + x_column) * channels : padding;
            const int8_t *from_y =
                (uint32_t)y_column < y_columns ? input + (y_row * width + y_column) * channels : padding;
            panel = tinyc_scalar_pack(panel, from_x, from_y, depth);
            x_column += layer->dilation_width;
            y_column += layer->dilation_width;
        }
    }
}

TINYC_KERNEL void tinyc_conv_2d_s8__scalar(const struct tinyc_scalar_conv_2d *layer, const int8_t *input,
                                           int8_t *output, void *scratch) {
    const int32_t image = layer->input_height * layer->input_width * layer->input_channels;
    const int32_t taps = layer->kernel_height * layer->kernel_width * layer->depth;
    const int32_t groups = layer->input_channels / layer->depth;
    const int32_t channels = layer->output_channels / groups;
    const int32_t pixels = layer->output_height * layer->output_width;
    uint32_t *const panel = scratch;
    uint32_t *const end = panel + ((taps + 3) & ~3);
    int8_t *const padding = (int8_t *)end;

    memset(padding, layer->input_zero, (uint32_t)layer->depth);
    memset(panel, 0, (uint32_t)(end - panel) * sizeof *panel);
    for (int32_t batch = 0; batch < layer->batches; batch++, input += image) {
        struct tinyc_scalar_window next = {-layer->pad_top, -layer->pad_left};
        int32_t column = 0;
        for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
            struct tinyc_scalar_window at[2];
            for (int32_t i = 0; i < 2; i++) {
                at[i] = next;
                next.left += layer->stride_width;
                if (++column == layer->output_width) {
                    column = 0;
                    next.left = -layer->pad_left;
                    next.top += layer->stride_height;
                }
            }
            /* A last pixel without a partner is its own. */
            const int32_t last = pixel + 1 == pixels;
            int8_t *const second = last ? output : output + layer->output_channels;
            const uint32_t *words = layer->words;
            for (int32_t group = 0; group < groups; group++) {
                tinyc_scalar_gather(layer, input + group * layer->depth, at[0], last ? at[0] : at[1], padding,
                                    panel);
                words = tinyc_scalar_two_pixels(&layer->range, panel, end, words, channels,
                                                output + group * channels, second + group * channels);
            }
            output = second + layer->output_channels;
        }
    }
}
