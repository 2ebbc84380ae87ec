/* Weights [output_channels][kernel_height][kernel_width][depth] as in nibbles.h. Sums wrap like the reference's. */
TINYC_KERNEL void tinyc_conv_2d_s4__portable(const struct tinyc_conv_2d *layer, const int8_t *input,
                                             int8_t *output) {
    const int32_t filters = layer->output_channels / (layer->input_channels / layer->depth);
    const int32_t filter_size = layer->kernel_height * layer->kernel_width * layer->depth;
    const int32_t image = layer->input_height * layer->input_width * layer->input_channels;

    for (int32_t batch = 0; batch < layer->batches; batch++, input += image) {
        for (int32_t out_y = 0; out_y < layer->output_height; out_y++) {
            for (int32_t out_x = 0; out_x < layer->output_width; out_x++) {
                for (int32_t channel = 0; channel < layer->output_channels; channel++) {
                    const int32_t first = channel / filters * layer->depth;
                    uint32_t acc = (uint32_t)layer->bias[channel];
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
                            const int8_t *pixel =
                                input + (y * layer->input_width + x) * layer->input_channels + first;
                            const int32_t first_weight =
                                channel * filter_size + (ky * layer->kernel_width + kx) * layer->depth;
                            for (int32_t d = 0; d < layer->depth; d++) {
                                const int32_t weight = tinyc_nibble(layer->weights, first_weight + d);
                                acc += (uint32_t)((pixel[d] + layer->input_offset) * weight);
                            }
                        }
                    }
                    const int32_t entry = layer->per_channel ? channel : 0;
                    const int32_t scaled =
                        tinyc_requantize((int32_t)acc, layer->multiplier[entry], layer->shift[entry]);
                    *output++ =
                        (int8_t)tinyc_clamp(scaled + layer->output_offset, layer->low, layer->high);
                }
            }
        }
    }
}
