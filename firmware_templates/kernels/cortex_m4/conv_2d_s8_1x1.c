/* Stride 1, no padding, one group: a matrix product over the pixels. Weights, bias and scratch as in
 * fully_connected_s8.c. */
TINYC_KERNEL void tinyc_conv_2d_s8_1x1__cortex_m4(const struct tinyc_conv_2d *layer, const int8_t *input,
                                                  int8_t *output, void *scratch) {
    const int32_t depth = layer->depth;
    const int32_t channels = layer->output_channels;
    const struct tinyc_panel panel = {
        .depth = (depth + 3) & ~3,
        .channels = channels,
        .offset = 2 * layer->output_offset + 1,
        .channel_mask = -layer->per_channel,
        .weights = layer->weights,
        .bias = layer->bias,
        .multiplier = layer->multiplier,
        .right = layer->shift,
    };
    const int32_t pixels = layer->batches * layer->output_height * layer->output_width;
    int16_t *const row0 = scratch;
    int16_t *const row1 = row0 + panel.depth;
    int8_t *target = output;
    int32_t left = pixels;

    for (; left >= 2; left -= 2, input += 2 * depth, target += 2 * channels) {
        tinyc_widen(row0, input, depth);
        tinyc_widen(row1, input + depth, depth);
        tinyc_panel_two_rows(&panel, scratch, target, channels);
    }
    if (left) {
        tinyc_widen(row0, input, depth);
        tinyc_panel_row(&panel, scratch, target);
    }
    tinyc_clamp_s8(output, pixels * channels, layer->low, layer->high);
}
