/* Two rows at a time, as if they were pixels. Scratch: the panel. */
TINYC_KERNEL void tinyc_fully_connected_s8__scalar(const struct tinyc_scalar_fully_connected *layer,
                                                   const int8_t *input, int8_t *output, void *scratch) {
    const int32_t depth = layer->depth;
    uint32_t *const panel = scratch;
    uint32_t *const end = panel + ((depth + 3) & ~3);

    memset(panel, 0, (uint32_t)(end - panel) * sizeof *panel);
    for (int32_t row = 0; row < layer->rows; row += 2) {
        /* A last row without a partner is its own. */
        const int32_t last = row + 1 == layer->rows;
        int8_t *const second = last ? output : output + layer->units;
        (void)tinyc_scalar_pack(panel, input, last ? input : input + depth, depth);
        (void)tinyc_scalar_two_pixels(&layer->range, panel, end, layer->words, layer->units, output, second);
        input += 2 * depth;
        output = second + layer->units;
    }
}
