TINYC_INLINE void tinyc_fill_s16(int16_t *to, int32_t count, int32_t value) {
    for (; count > 0; count--) {
        *to++ = (int16_t)value;
    }
}

/* im2col: the inputs under one window as a row of int16; `depth` channels from `image` on. Padding
 * holds the input's zero point. */
TINYC_KERNEL void tinyc_window_row(const struct tinyc_conv_2d *layer, const int8_t *image, int32_t top,
                                   int32_t left, int16_t *row) {
    const int32_t zero = -layer->input_offset;
    const int32_t depth = layer->depth, channels = layer->input_channels;
    const int32_t width = layer->input_width, height = layer->input_height;
    const int32_t columns = layer->kernel_width, step = layer->dilation_width;
    const int32_t pitch = columns * depth;
    const int16_t *const end = row + layer->kernel_height * pitch;
    int32_t y = top;

    if (depth == channels && step == 1) {
        /* Neighbouring columns are neighbours in memory: one run per kernel row. */
        const int32_t first = left >= 0 ? 0 : (-left < columns ? -left : columns);
        const int32_t last = left + columns <= width ? columns : (left < width ? width - left : 0);
        const int32_t before = first * depth;
        const int32_t run = last > first ? (last - first) * depth : 0;
        const int32_t after = pitch - before - run;
        for (; row != end; row += pitch, y += layer->dilation_height) {
            if (y < 0 || y >= height || run == 0) {
                tinyc_fill_s16(row, pitch, zero);
                continue;
            }
            tinyc_widen(row + before, image + (y * width + left + first) * channels, run);
            if (run != pitch) {
                tinyc_fill_s16(row, before, zero);
                tinyc_fill_s16(row + before + run, after, zero);
            }
        }
        return;
    }
    for (int32_t kx = 0, x = left; row != end; row += depth) {
        if (y < 0 || y >= height || x < 0 || x >= width) {
            tinyc_fill_s16(row, depth, zero);
        } else {
            tinyc_widen(row, image + (y * width + x) * channels, depth);
        }
        x += step;
        if (++kx == columns) {
            kx = 0;
            x = left;
            y += layer->dilation_height;
        }
    }
}

/* Any window, any number of groups. Weights and bias as in tinyc_panel.h, group after group.
 * Scratch: two rows of kernel_height * kernel_width * depth, rounded up to a multiple of 4, as
 * int16. What lies behind a row meets weights of zero. */
TINYC_KERNEL void tinyc_conv_2d_s8__cortex_m4(const struct tinyc_conv_2d *layer, const int8_t *input,
                                              int8_t *output, void *scratch) {
    const int32_t groups = layer->input_channels / layer->depth;
    const int32_t channels = layer->output_channels;
    const int32_t image = layer->input_height * layer->input_width * layer->input_channels;
    struct tinyc_panel panel = {
        .depth = (layer->kernel_height * layer->kernel_width * layer->depth + 3) & ~3,
        .channels = channels / groups,
        .offset = 2 * layer->output_offset + 1,
        .channel_mask = -layer->per_channel,
        .weights = layer->weights,
        .bias = layer->bias,
        .multiplier = layer->multiplier,
        .right = layer->shift,
    };
    int16_t *const rows = scratch;

    for (int32_t group = 0; group < groups; group++) {
        const int8_t *source = input + group * layer->depth;
        int8_t *target = output + group * panel.channels;
        int32_t waiting = 0;
        for (int32_t batch = 0; batch < layer->batches; batch++, source += image) {
            int32_t top = -layer->pad_top;
            for (int32_t y = 0; y < layer->output_height; y++, top += layer->stride_height) {
                int32_t left = -layer->pad_left;
                for (int32_t x = 0; x < layer->output_width; x++, left += layer->stride_width) {
                    tinyc_window_row(layer, source, top, left, waiting ? rows + panel.depth : rows);
                    waiting = !waiting;
                    if (!waiting) {
                        tinyc_panel_two_rows(&panel, scratch, target, channels);
                        target += 2 * channels;
                    }
                }
            }
        }
        if (waiting) {
            tinyc_panel_row(&panel, scratch, target);
        }
        panel.weights += panel.depth * ((panel.channels + 1) & ~1);
        panel.bias += panel.channels;
        panel.multiplier += panel.channels & panel.channel_mask;
        panel.right += panel.channels & panel.channel_mask;
    }
    tinyc_clamp_s8(output, layer->batches * layer->output_height * layer->output_width * channels, layer->low,
                   layer->high);
}
