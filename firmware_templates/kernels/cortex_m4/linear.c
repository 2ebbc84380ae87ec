/* The scratch holds the panel of four rows, from the call before where the inputs are null. */
TINYC_INLINE void tinyc_linear_store(const struct tinyc_linear *layer, const void *residual, void *output,
                                     const int32_t *sums, int32_t unit, int32_t count, int32_t is_plain, int32_t wide) {
    const int32_t units = layer->units, offset = layer->output_offset;
    for (int32_t low = 0; low < 2 && unit + low < units; low++) {
        const int32_t bias = layer->bias[unit + low], multiplier = layer->multiplier[unit + low];
        int32_t at = unit + low;
        for (const int32_t *sum = sums + 4 * low, *end = sum + count; sum < end; sum++, at += units) {
            int32_t y = tinyc_smmulr((int32_t)((uint32_t)*sum + (uint32_t)bias), multiplier) + offset;
            if (!is_plain) {
                if (residual != 0) {
                    const int32_t r = tinyc_element(residual, layer->residual_wide, at) - layer->residual_offset;
                    y += tinyc_smmulr((int32_t)((uint32_t)r << 16), layer->residual_multiplier);
                }
                y = tinyc_clamp(y, layer->low, layer->high);
            }
            tinyc_set_element(output, wide, at, y);
        }
    }
}

TINYC_KERNEL void tinyc_linear__cortex_m4(const struct tinyc_linear_rows *layer, const void *const *inputs,
                                          void *output, void *scratch, const struct tinyc_tile *tile) {
    const struct tinyc_linear *linear = &layer->linear;
    const void *residual = tinyc_linear_residual(linear, inputs, tile);
    const int32_t is_plain = residual == 0 && linear->low <= (linear->output_wide ? -32768 : -128) &&
                             linear->high >= (linear->output_wide ? 32767 : 127);
    const int32_t count = tile->count, step = TINYC_CHUNK * layer->chunks;
    uint32_t *end = scratch;
    for (int32_t source = 0; source < linear->sources && inputs[source] != 0; source++) {
        const int32_t depth = linear->depth[source];
        end = tinyc_pack_rows(inputs[source], linear->input_wide[source], depth, depth, count, end);
    }
    const int8_t *weights = layer->weights;
    for (int32_t unit = 0; unit < linear->units; unit += 2, weights += 2 * step) {
        int32_t sums[8];
        tinyc_dot_rows(scratch, weights, weights + step, layer->chunks, count, sums);
        if (is_plain && linear->output_wide) {
            tinyc_linear_store(linear, residual, output, sums, unit, count, 1, 1);
        } else if (is_plain) {
            tinyc_linear_store(linear, residual, output, sums, unit, count, 1, 0);
        } else {
            tinyc_linear_store(linear, residual, output, sums, unit, count, 0, linear->output_wide);
        }
    }
}
