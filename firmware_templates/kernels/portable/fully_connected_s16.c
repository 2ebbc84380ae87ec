TINYC_KERNEL void tinyc_fully_connected_s16__portable(const struct tinyc_fully_connected_s16 *layer,
                                                     const int16_t *input, int16_t *output) {
    for (int32_t row = 0; row < layer->rows; row++) {
        const int8_t *weights = layer->weights;
        for (int32_t unit = 0; unit < layer->units; unit++) {
            int64_t acc = layer->bias[unit];
            for (int32_t d = 0; d < layer->depth; d++) {
                acc += (int32_t)input[d] * weights[d];
            }
            const int32_t channel = layer->per_channel ? unit : 0;
            const int32_t scaled =
                tinyc_scale_sum(acc, layer->narrow, layer->multiplier[channel], layer->shift[channel]);
            *output++ = (int16_t)tinyc_clamp(scaled, layer->low, layer->high);
            weights += layer->depth;
        }
        input += layer->depth;
    }
}
