/* One element of a row, times the multiplier of the row. */
TINYC_INLINE int32_t tinyc_norm_scaled(int32_t x, struct tinyc_row_scale scale, int32_t half) {
    return (int32_t)((uint32_t)((int16_t)x * (int16_t)scale.multiplier) + (uint32_t)half) >> scale.shift;
}

TINYC_INLINE void tinyc_norm_row(const struct tinyc_norm *layer, const int16_t *input, uint32_t means,
                                 struct tinyc_row_scale scale, void *output, int32_t gains, int32_t wide) {
    const int32_t half = (int32_t)(1u << (scale.shift - 1)), shift = layer->gain_shift;
    const int16_t *gain = layer->gains;
    const int32_t *offset = layer->offsets;
    int8_t *narrow = output;
    int16_t *halfwords = output;
    for (const int16_t *end = input + layer->depth; input < end; input += 2) {
        const uint32_t x = tinyc_qsub16(tinyc_load_word(input), means);
        int32_t first = tinyc_norm_scaled(tinyc_bottom(x), scale, half);
        int32_t second = tinyc_norm_scaled(tinyc_top(x), scale, half);
        if (gains) {
            first = (tinyc_clamp(first, -32768, 32767) * gain[0] + offset[0]) >> shift;
            second = (tinyc_clamp(second, -32768, 32767) * gain[1] + offset[1]) >> shift;
            gain += 2;
            offset += 2;
        }
        if (wide) {
            *halfwords++ = (int16_t)tinyc_clamp(first, -32768, 32767);
            *halfwords++ = (int16_t)tinyc_clamp(second, -32768, 32767);
        } else {
            *narrow++ = (int8_t)tinyc_clamp(first, -128, 127);
            *narrow++ = (int8_t)tinyc_clamp(second, -128, 127);
        }
    }
}

TINYC_KERNEL void tinyc_norm_s16__cortex_m4(const struct tinyc_norm *layer, const void *const *inputs, void *output,
                                            void *scratch, const struct tinyc_tile *tile) {
    const int32_t depth = layer->depth;
    const int16_t *input = inputs[0];
    (void)scratch;
    for (int32_t row = 0; row < tile->count; row++, input += depth) {
        const int16_t *end = input + depth;
        uint32_t means = 0;
        if (layer->centred) {
            uint32_t sum = 0;
            for (const int16_t *x = input; x < end; x += 2) {
                sum = tinyc_smlad(tinyc_load_word(x), 0x10001u, sum);
            }
            const uint32_t mean = (uint32_t)tinyc_smmulr((int32_t)sum, layer->mean_multiplier);
            means = tinyc_pack_bottoms(mean, mean);
        }
        uint64_t power = (uint64_t)layer->epsilon;
        for (const int16_t *at = input; at < end; at += 2) {
            const uint32_t x = tinyc_qsub16(tinyc_load_word(at), means);
            power = tinyc_smlald(x, x, power);
        }
        const struct tinyc_row_scale scale = tinyc_row_scale(layer, power);
        int8_t *narrow = (int8_t *)output + row * depth;
        int16_t *wide = (int16_t *)output + row * depth;
        if (layer->has_gains) {
            if (layer->output_wide) {
                tinyc_norm_row(layer, input, means, scale, wide, 1, 1);
            } else {
                tinyc_norm_row(layer, input, means, scale, narrow, 1, 0);
            }
        } else if (layer->output_wide) {
            tinyc_norm_row(layer, input, means, scale, wide, 0, 1);
        } else {
            tinyc_norm_row(layer, input, means, scale, narrow, 0, 0);
        }
    }
}
