TINYC_KERNEL void tinyc_fully_connected_f32__portable(const struct tinyc_fully_connected_f32 *layer,
                                                     const float *input, float *output) {
    for (int32_t row = 0; row < layer->rows; row++) {
        const float *weights = layer->weights;
        for (int32_t unit = 0; unit < layer->units; unit++) {
            float acc = 0.0f;
            for (int32_t d = 0; d < layer->depth; d++) {
                acc += tinyc_float_product(input[d], weights[d]);
            }
            *output++ = tinyc_clamp_f32(acc + layer->bias[unit], layer->low, layer->high);
            weights += layer->depth;
        }
        input += layer->depth;
    }
}
