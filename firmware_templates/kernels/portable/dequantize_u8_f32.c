TINYC_KERNEL void tinyc_dequantize_u8_f32__portable(const struct tinyc_quantize *layer,
                                                   const uint8_t *input, float *output) {
    for (int32_t i = 0; i < layer->count; i++) {
        output[i] = layer->scale * (float)(input[i] - layer->zero_point);
    }
}
