TINYC_KERNEL void tinyc_quantize_f32_s16__portable(const struct tinyc_quantize *layer,
                                                   const float *input, int16_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        output[i] = (int16_t)tinyc_quantize_value(input[i], layer->scale, layer->zero_point, INT16_MIN,
                                                  INT16_MAX);
    }
}
