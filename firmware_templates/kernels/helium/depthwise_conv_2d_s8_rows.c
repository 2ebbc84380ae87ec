/* Row by row, at a horizontal stride of 1 and without vertical dilation: a row of outputs is one run, whose
 * weights are those of as many pixels as fill whole vectors.
 *
 * A window lies `input_channels` bytes behind the one before. Where there is padding, input rows are copied
 * with it, each once. Scratch: a pointer per tap (8 bytes each); with padding `kernel_height` rows of the
 * output's width and the kernel's reach, and one of padding alone where windows reach above or below the
 * image. */
TINYC_KERNEL void tinyc_depthwise_conv_2d_s8_rows__helium(const struct tinyc_mve_depthwise *layer,
                                                          const int8_t *input, int8_t *output, void *scratch) {
    const int32_t channels = layer->input_channels, rows = layer->kernel_height;
    const int32_t height = layer->input_height, line = layer->input_width * channels;
    const int32_t count = layer->output_width * channels, step = layer->dilation_width * channels;
    const int32_t pitch = count + (layer->kernel_width - 1) * step, before = layer->pad_left * channels;
    const int32_t last = (layer->output_height - 1) * layer->stride_height - layer->pad_top + rows;
    const int32_t is_open = layer->pad_top > 0 || last > height, is_copied = is_open || pitch > line;
    const int8_t **const taps = scratch;
    int8_t *const lines = (int8_t *)scratch + 8 * rows * layer->kernel_width;
    const int8_t *const padding = lines + rows * pitch;
    struct tinyc_mve_taps run = tinyc_mve_taps_of(layer, count, output, taps);

    if (is_copied) {
        tinyc_mve_fill(lines, layer->padding, (rows + is_open) * pitch);
    }
    for (int32_t batch = 0; batch < layer->batches; batch++, input += height * line) {
        int32_t top = -layer->pad_top, copied = is_copied ? 0 : height;
        for (int32_t y = 0; y < layer->output_height; y++, top += layer->stride_height) {
            const int32_t bottom = top + rows < height ? top + rows : height;
            for (copied = copied > top ? copied : top; copied < bottom; copied++) {
                tinyc_mve_copy(lines + copied % rows * pitch + before, input + copied * line, line);
            }
            const int8_t **tap = taps;
            for (int32_t row = top; row < top + rows; row++) {
                const int8_t *at = padding;
                if (row >= 0 && row < height) {
                    at = is_copied ? lines + row % rows * pitch : input + row * line;
                }
                for (int32_t column = layer->kernel_width; column > 0; column--, at += step) {
                    *tap++ = at;
                }
            }
            tinyc_mve_depthwise_run(&run);
            run.output += count;
        }
    }
}
