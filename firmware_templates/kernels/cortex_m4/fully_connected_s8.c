/* Weights and bias as in tinyc_panel.h. Scratch: two rows of the depth, rounded up to a multiple
 * of 4, as int16 (one row when there is only one). What lies behind a row meets weights of zero. */
TINYC_KERNEL void tinyc_fully_connected_s8__cortex_m4(const struct tinyc_fully_connected *layer,
                                                      const int8_t *input, int8_t *output, void *scratch) {
    const struct tinyc_panel panel = {
        .depth = (layer->depth + 3) & ~3,
        .channels = layer->units,
        .offset = 2 * layer->output_offset + 1,
        .channel_mask = -layer->per_channel,
        .weights = layer->weights,
        .bias = layer->bias,
        .multiplier = layer->multiplier,
        .right = layer->shift,
    };
    int16_t *const row0 = scratch;
    int16_t *const row1 = row0 + panel.depth;
    int8_t *target = output;
    int32_t rows = layer->rows;

    for (; rows >= 2; rows -= 2, input += 2 * layer->depth, target += 2 * layer->units) {
        tinyc_widen(row0, input, layer->depth);
        tinyc_widen(row1, input + layer->depth, layer->depth);
        tinyc_panel_two_rows(&panel, scratch, target, layer->units);
    }
    if (rows) {
        tinyc_widen(row0, input, layer->depth);
        tinyc_panel_row(&panel, scratch, target);
    }
    tinyc_clamp_s8(output, layer->rows * layer->units, layer->low, layer->high);
}
