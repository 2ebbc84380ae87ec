/* Copies `times` runs of `count` bytes, both 1 or more, from one step to another. */
#if defined(__ARM_FEATURE_MVE)
TINYC_KERNEL void tinyc_mve_spread(int8_t *to, int32_t to_step, const int8_t *from, int32_t from_step,
                                   int32_t count, int32_t times) {
    if (count <= 16) {
        __asm__ volatile(
            "vctp.8 %[count]\n\t"
            "dls lr, %[times]\n"
            "1:\n\t"
            "vpstt\n\t"
            "vldrbt.8 q0, [%[from]]\n\t"
            "vstrbt.8 q0, [%[to]]\n\t"
            "add %[from], %[from], %[from_step]\n\t"
            "add %[to], %[to], %[to_step]\n\t"
            "le lr, 1b"
            : [to] "+r"(to), [from] "+r"(from)
            : [count] "r"(count), [times] "r"(times), [to_step] "r"(to_step), [from_step] "r"(from_step)
            : "lr", "q0", "memory");
        return;
    }
    for (; times > 0; times--, to += to_step, from += from_step) {
        tinyc_mve_copy(to, from, count);
    }
}
#else
TINYC_KERNEL void tinyc_mve_spread(int8_t *to, int32_t to_step, const int8_t *from, int32_t from_step,
                                   int32_t count, int32_t times) {
    for (; times > 0; times--, to += to_step, from += from_step) {
        tinyc_mve_copy(to, from, count);
    }
}
#endif

/* Windows of several columns: those of a row of outputs lie in strips, one for each column of the input with its
 * padding, that hold the column's pixels under the kernel one behind the other. A window is the strips of
 * its columns, and the next one begins `stride_width` strips behind it. Weights are
 * [channels][kernel_width][kernel_height][depth]. The last three windows of a row may be computed in part
 * again. Scratch: TINYC_MVE_HEAD, the sums of three rows, the strips, a pixel of padding. */
TINYC_KERNEL void tinyc_conv_2d_s8_strips__helium(const struct tinyc_mve_conv_2d *layer, const int8_t *input,
                                                  int8_t *output, void *scratch) {
    const int32_t channels = layer->input_channels, width = layer->input_width, rows = layer->kernel_height;
    const int32_t part = layer->channels < TINYC_MVE_PART ? layer->channels : TINYC_MVE_PART;
    const int32_t strip = rows * channels, step = layer->stride_width * strip;
    const int32_t columns = (layer->output_width - 1) * layer->stride_width + layer->kernel_width;
    /* Windows may leave out the last columns of the input. */
    const int32_t taken = width < columns - layer->pad_left ? width : columns - layer->pad_left;
    const struct tinyc_mve_matrix matrix = tinyc_mve_matrix_of(layer, 1);
    int32_t *const sums = (int32_t *)scratch + TINYC_MVE_HEAD / 4;
    struct tinyc_mve_product product = tinyc_mve_product_of(&matrix, sums);
    int8_t *const strips = (int8_t *)sums + 2 * TINYC_MVE_PITCH + 4 * ((part + 1) & ~1);
    int8_t *const first = strips + layer->pad_left * strip;
    const int8_t *const padding = strips + columns * strip;
    tinyc_mve_fill(strips, layer->padding, columns * strip + channels);
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        int32_t top = -layer->pad_top;
        for (int32_t y = 0; y < layer->output_height; y++, top += layer->stride_height) {
            for (int32_t row = 0; row < rows; row++) {
                const int32_t at = top + row, inside = at >= 0 && at < layer->input_height;
                const int8_t *const from = inside ? input + at * width * channels : padding;
                tinyc_mve_spread(first + row * channels, strip, from, inside ? channels : 0, channels, taken);
            }
            for (int32_t x = 0; x < layer->output_width; x += 3) {
                const int32_t left = x <= layer->output_width - 3 ? x : layer->output_width - 3;
                tinyc_mve_three(&product, strips + left * step, step, output + left * matrix.pitch);
            }
            output += layer->output_width * matrix.pitch;
        }
        input += layer->input_height * width * channels;
    }
}
