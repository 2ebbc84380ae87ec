/* Works in place. */
TINYC_KERNEL void tinyc_logistic_s16__portable(const struct tinyc_sigmoid *layer, const int16_t *input,
                                               int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        const int32_t x = tinyc_sigmoid_input(layer, input[i]);
        const int32_t magnitude = x < 0 ? -x : x;
        const int32_t index = magnitude >> 9;
        int32_t y = (int32_t)0x7FFF << 10;
        if (index < 255) {
            const int32_t sample = layer->table[index];
            y = sample * 512 + (magnitude & 511) * (layer->table[index + 1] - sample);
        }
        y = x >= 0 ? y + 512 : ((int32_t)1 << 25) - y + 511;
        output[i] = (int16_t)(y >> 10);
    }
}
