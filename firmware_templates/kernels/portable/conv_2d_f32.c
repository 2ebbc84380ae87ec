/* What lies outside of the input is left out, not taken as 0: infinite weights would make NaNs of it. */
TINYC_KERNEL void tinyc_conv_2d_f32__portable(const struct tinyc_conv_2d_f32 *layer, const float *input,
                                             float *output) {
    const int32_t image = layer->input_height * layer->input_width * layer->input_channels;

    for (int32_t batch = 0; batch < layer->batches; batch++, input += image) {
        for (int32_t out_y = 0; out_y < layer->output_height; out_y++) {
            for (int32_t out_x = 0; out_x < layer->output_width; out_x++) {
                for (int32_t channel = 0; channel < layer->output_channels; channel++) {
                    const int32_t first = channel / layer->filters * layer->depth;
                    const float *filter = layer->weights + channel * layer->filter_stride;
                    float acc = 0.0f;
                    for (int32_t ky = 0; ky < layer->kernel_height; ky++) {
                        const int32_t y =
                            out_y * layer->stride_height - layer->pad_top + ky * layer->dilation_height;
                        if (y < 0 || y >= layer->input_height) {
                            continue;
                        }
                        for (int32_t kx = 0; kx < layer->kernel_width; kx++) {
                            const int32_t x =
                                out_x * layer->stride_width - layer->pad_left + kx * layer->dilation_width;
                            if (x < 0 || x >= layer->input_width) {
                                continue;
                            }
                            const float *pixel =
                                input + (y * layer->input_width + x) * layer->input_channels + first;
                            const float *weights =
                                filter + (ky * layer->kernel_width + kx) * layer->tap_stride;
                            for (int32_t d = 0; d < layer->depth; d++) {
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
