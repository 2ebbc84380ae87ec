TINYC_KERNEL void tinyc_quantize_f32_s8__portable(const struct tinyc_quantize *layer, const float *input,
                                                 int8_t *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        output[i] = (int8_t)tinyc_quantize_value(input[i], layer->scale, layer->zero_point, INT8_MIN,
                                                  INT8_MAX);
    }
}
