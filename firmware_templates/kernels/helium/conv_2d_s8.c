/* The inputs under one window, one behind the other, of the group whose first one is at `image`. */
TINYC_KERNEL void tinyc_mve_window(const struct tinyc_mve_conv_2d *layer, const int8_t *image, int32_t top,
                                   int32_t left, int8_t *to) {
    const int32_t width = layer->input_width, channels = layer->input_channels, depth = layer->depth;
    const int32_t columns = layer->kernel_width, pitch = columns * channels;
    int32_t y = top;
    if (layer->dilation_width == 1 && depth == channels) {
        /* Neighbouring columns are neighbours in memory: one run per kernel row. */
        const int32_t first = left >= 0 ? 0 : (-left < columns ? -left : columns);
        const int32_t last = left + columns <= width ? columns : (left < width ? width - left : 0);
        const int32_t before = first * channels, run = last > first ? (last - first) * channels : 0;
        for (int32_t row = layer->kernel_height; row > 0; row--, to += pitch, y += layer->dilation_height) {
            const int32_t inside = y >= 0 && y < layer->input_height ? run : 0;
            if (inside != pitch) {
                tinyc_mve_fill(to, layer->padding, pitch);
            }
            if (inside != 0) {
                tinyc_mve_copy(to + before, image + (y * width + left + first) * channels, inside);
            }
        }
        return;
    }
    for (int32_t row = layer->kernel_height; row > 0; row--, y += layer->dilation_height) {
        int32_t x = left;
        for (int32_t column = columns; column > 0; column--, to += depth, x += layer->dilation_width) {
            if (y < 0 || y >= layer->input_height || x < 0 || x >= width) {
                tinyc_mve_fill(to, layer->padding, depth);
            } else {
                tinyc_mve_copy(to, image + (y * width + x) * channels, depth);
            }
        }
    }
}

/* Any window, group after group. Scratch: TINYC_MVE_HEAD, the sums of three rows, three windows. */
TINYC_KERNEL void tinyc_conv_2d_s8__helium(const struct tinyc_mve_conv_2d *layer, const int8_t *input,
                                           int8_t *output, void *scratch) {
    const int32_t groups = layer->input_channels / layer->depth;
    const int32_t line = layer->input_width * layer->input_channels, image = layer->input_height * line;
    const int32_t part = layer->channels < TINYC_MVE_PART ? layer->channels : TINYC_MVE_PART;
    struct tinyc_mve_matrix matrix = tinyc_mve_matrix_of(layer, groups);
    int32_t *const sums = (int32_t *)scratch + TINYC_MVE_HEAD / 4;
    int8_t *const panel = (int8_t *)sums + 2 * TINYC_MVE_PITCH + 4 * ((part + 1) & ~1);
    int8_t *const end = panel + 3 * matrix.depth;
    const int32_t rows = layer->kernel_height, step = line * layer->dilation_height;
    const int32_t run = layer->kernel_width * layer->input_channels;
    const int32_t bottom = layer->input_height - (rows - 1) * layer->dilation_height;
    /* Where windows end whose rows are runs of neighbours inside the image. */
    const int32_t right =
        layer->dilation_width == 1 && groups == 1 ? layer->input_width - layer->kernel_width + 1 : 0;
    for (int32_t group = 0; group < groups; group++) {
        struct tinyc_mve_product product = tinyc_mve_product_of(&matrix, sums);
        const int8_t *source = input + group * layer->depth;
        int8_t *target = output + group * matrix.outputs, *to = panel;
        for (int32_t batch = 0; batch < layer->batches; batch++, source += image) {
            int32_t top = -layer->pad_top;
            for (int32_t y = 0; y < layer->output_height; y++, top += layer->stride_height) {
                int32_t left = -layer->pad_left;
                for (int32_t x = 0; x < layer->output_width; x++, left += layer->stride_width) {
                    if (top >= 0 && top < bottom && left >= 0 && left < right) {
                        const int8_t *const from = source + top * line + left * layer->input_channels;
                        tinyc_mve_copy_rows(to, from, run, rows, step);
                    } else {
                        tinyc_mve_window(layer, source, top, left, to);
                    }
                    to += matrix.depth;
                    if (to == end) {
                        tinyc_mve_three(&product, panel, matrix.depth, target);
                        target += 3 * matrix.pitch;
                        to = panel;
                    }
                }
            }
        }
        for (const int8_t *from = panel; from != to; from += matrix.depth, target += matrix.pitch) {
            tinyc_mve_one(&product, from, target);
        }
        matrix.weights += matrix.channels * matrix.depth;
        matrix.bias += matrix.channels;
        matrix.multiplier += matrix.outputs;
        matrix.constant += matrix.outputs;
        if (matrix.right != 0) {
            matrix.right += matrix.outputs;
        }
    }
}
