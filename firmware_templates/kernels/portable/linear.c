TINYC_KERNEL void tinyc_linear__portable(const struct tinyc_linear *layer, const void *const *inputs, void *output,
                                         void *scratch, const struct tinyc_tile *tile) {
    const int8_t *const weights[TINYC_LINEAR_SOURCES] = {layer->weights_0, layer->weights_1, layer->weights_2};
    const void *residual = tinyc_linear_residual(layer, inputs, tile);
    (void)scratch;
    for (int32_t row = 0; row < tile->count; row++) {
        for (int32_t unit = 0; unit < layer->units; unit++) {
            int32_t acc = layer->bias[unit];
            for (int32_t source = 0; source < layer->sources; source++) {
                const int32_t depth = layer->depth[source];
                const int8_t *w = weights[source] + unit * depth;
                for (int32_t i = 0; i < depth; i++) {
                    acc += w[i] * tinyc_element(inputs[source], layer->input_wide[source], row * depth + i);
                }
            }
            const int32_t at = row * layer->units + unit;
            int32_t y = tinyc_multiply_high(acc, layer->multiplier[unit]) + layer->output_offset;
            if (residual != 0) {
                const int32_t r = tinyc_element(residual, layer->residual_wide, at) - layer->residual_offset;
                y += (int32_t)(((int64_t)r * layer->residual_multiplier + 0x8000) >> 16);
            }
            tinyc_set_element(output, layer->output_wide, at, tinyc_clamp(y, layer->low, layer->high));
        }
    }
}
