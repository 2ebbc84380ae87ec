TINYC_KERNEL void tinyc_norm_s16__cortex_m4(const struct tinyc_norm *layer, const void *const *inputs, void *output,
                                            void *scratch, const struct tinyc_tile *tile) {
    const int32_t depth = layer->depth;
    const int16_t *input = inputs[0];
    (void)scratch;
    for (int32_t row = 0; row < tile->count; row++, input += depth) {
        uint32_t means = 0;
        if (layer->centred) {
            uint32_t sum = 0;
            for (int32_t i = 0; i < depth; i += 2) {
                sum = tinyc_smlad(tinyc_load_word(input + i), 0x10001u, sum);
            }
            const uint32_t mean = (uint32_t)tinyc_smmulr((int32_t)sum, layer->mean_multiplier);
            means = tinyc_pack_bottoms(mean, mean);
        }
        uint64_t power = (uint64_t)layer->epsilon;
        for (int32_t i = 0; i < depth; i += 2) {
            const uint32_t x = tinyc_qsub16(tinyc_load_word(input + i), means);
            power = tinyc_smlald(x, x, power);
        }
        const struct tinyc_row_scale scale = tinyc_row_scale(layer, power);
        const int32_t half = (int32_t)(1u << (scale.shift - 1)), start = row * depth;
        if (layer->has_gains) {
            for (int32_t i = 0; i < depth; i += 2) {
                const uint32_t x = tinyc_qsub16(tinyc_load_word(input + i), means);
                for (int32_t k = 0; k < 2; k++) {
                    const int32_t wide = (k == 0 ? tinyc_bottom(x) : tinyc_top(x)) * scale.multiplier;
                    const int32_t y = (int32_t)((uint32_t)wide + (uint32_t)half) >> scale.shift;
                    tinyc_set_element(
                        output, layer->output_wide, start + i + k,
                        (tinyc_clamp(y, -32768, 32767) * layer->gains[i + k] + layer->offsets[i + k]) >>
                            layer->gain_shift);
                }
            }
        } else {
            for (int32_t i = 0; i < depth; i += 2) {
                const uint32_t x = tinyc_qsub16(tinyc_load_word(input + i), means);
                for (int32_t k = 0; k < 2; k++) {
                    const int32_t wide = (k == 0 ? tinyc_bottom(x) : tinyc_top(x)) * scale.multiplier;
                    tinyc_set_element(output, layer->output_wide, start + i + k,
                                      (int32_t)((uint32_t)wide + (uint32_t)half) >> scale.shift);
                }
            }
        }
    }
}
