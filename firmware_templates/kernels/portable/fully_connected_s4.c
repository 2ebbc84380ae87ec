/* Weights as in nibbles.h. Sums wrap like the reference's. */
TINYC_KERNEL void tinyc_fully_connected_s4__portable(const struct tinyc_fully_connected *layer,
                                                     const int8_t *input, int8_t *output) {
    for (int32_t row = 0; row < layer->rows; row++) {
        int32_t weight = 0;
        for (int32_t unit = 0; unit < layer->units; unit++) {
            uint32_t acc = (uint32_t)layer->bias[unit];
            for (int32_t d = 0; d < layer->depth; d++, weight++) {
                acc += (uint32_t)((input[d] + layer->input_offset) * tinyc_nibble(layer->weights, weight));
            }
            const int32_t channel = layer->per_channel ? unit : 0;
            const int32_t scaled =
                tinyc_requantize((int32_t)acc, layer->multiplier[channel], layer->shift[channel]);
            *output++ = (int8_t)tinyc_clamp(scaled + layer->output_offset, layer->low, layer->high);
        }
        input += layer->depth;
    }
}
