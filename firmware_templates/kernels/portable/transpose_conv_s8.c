/* Filters [output_channels][kernel_height][kernel_width][depth]. Each output pixel collects what the input
 * pixels add to it, so that no accumulator has to be kept. Sums wrap like the reference's. */
TINYC_KERNEL void tinyc_transpose_conv_s8__portable(const struct tinyc_conv_2d *layer, const int8_t *input,
                                                    int8_t *output) {
    const int32_t depth = layer->depth;
    const int32_t filter_size = layer->kernel_height * layer->kernel_width * depth;
    const int32_t image = layer->input_height * layer->input_width * depth;

    for (int32_t batch = 0; batch < layer->batches; batch++, input += image) {
        for (int32_t out_y = layer->pad_top; out_y < layer->output_height + layer->pad_top; out_y++) {
            for (int32_t out_x = layer->pad_left; out_x < layer->output_width + layer->pad_left; out_x++) {
                for (int32_t channel = 0; channel < layer->output_channels; channel++) {
                    const int8_t *filter = layer->weights + channel * filter_size;
                    uint32_t acc = (uint32_t)layer->bias[channel];
                    for (int32_t ky = out_y % layer->stride_height; ky < layer->kernel_height;
                         ky += layer->stride_height) {
                        const int32_t y = (out_y - ky) / layer->stride_height;
                        if (ky > out_y || y >= layer->input_height) {
                            continue;
                        }
                        for (int32_t kx = out_x % layer->stride_width; kx < layer->kernel_width;
                             kx += layer->stride_width) {
                            const int32_t x = (out_x - kx) / layer->stride_width;
                            if (kx > out_x || x >= layer->input_width) {
                                continue;
                            }
                            const int8_t *pixel = input + (y * layer->input_width + x) * depth;
                            const int8_t *weights = filter + (ky * layer->kernel_width + kx) * depth;
                            for (int32_t d = 0; d < depth; d++) {
                                acc += (uint32_t)((pixel[d] + layer->input_offset) * weights[d]);
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
