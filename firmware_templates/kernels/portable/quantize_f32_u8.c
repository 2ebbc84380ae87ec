TINYC_KERNEL void tinyc_quantize_f32_u8__portable(const struct tinyc_quantize *layer, const float *input,
                                                 uint8_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        output[i] = (uint8_t)tinyc_quantize_value(input[i], layer->scale, layer->zero_point, 0,
                                                  UINT8_MAX);
    }
}
