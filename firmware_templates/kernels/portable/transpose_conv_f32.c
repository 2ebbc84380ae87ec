/* Each output pixel collects what the input pixels add to it, in their order. */
TINYC_KERNEL void tinyc_transpose_conv_f32__portable(const struct tinyc_conv_2d_f32 *layer, const float *input,
                                                    float *output) {
    const int32_t depth = layer->depth;
    const int32_t image = layer->input_height * layer->input_width * depth;

    for (int32_t batch = 0; batch < layer->batches; batch++, input += image) {
        for (int32_t row = 0; row < layer->output_height; row++) {
            const int32_t out_y = row + layer->pad_top;
            for (int32_t column = 0; column < layer->output_width; column++) {
                const int32_t out_x = column + layer->pad_left;
                for (int32_t channel = 0; channel < layer->output_channels; channel++) {
                    const float *filter = layer->weights + channel * layer->filter_stride;
                    float acc = 0.0f;
                    for (int32_t y = 0; y < layer->input_height; y++) {
                        const int32_t ky = out_y - y * layer->stride_height;
                        if (ky < 0 || ky >= layer->kernel_height) {
                            continue;
                        }
                        for (int32_t x = 0; x < layer->input_width; x++) {
                            const int32_t kx = out_x - x * layer->stride_width;
                            if (kx < 0 || kx >= layer->kernel_width) {
                                continue;
                            }
                            const float *pixel = input + (y * layer->input_width + x) * depth;
                            const float *weights =
                                filter + (ky * layer->kernel_width + kx) * layer->tap_stride;
                            for (int32_t d = 0; d < depth; d++) {
                                acc += tinyc_float_product(pixel[d], weights[d]);
                            }
                        }
                    }
                    *output++ = tinyc_clamp_f32(acc + layer->bias[channel], layer->low, layer->high);
                }
            }
        }
    }
}
