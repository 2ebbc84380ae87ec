#if defined(__ARM_FEATURE_MVE)

/* The sums of a window. */
TINYC_KERNEL void tinyc_mve_sum_window(const struct tinyc_pool_2d *layer, const struct tinyc_window *window,
                                       const int8_t *from, int16_t *to) {
    const int8_t *at;
    int32_t row, column;
    __asm__ volatile(
        "dlstp.16 lr, %[channels]\n"
        "1:\n\t"
        "mov %[at], %[from]\n\t"
        "mov %[row], %[rows]\n\t"
        "vmov.i32 q0, #0\n"
        "2:\n\t"
        "mov %[column], %[columns]\n"
        "3:\n\t"
        "vldrb.s16 q1, [%[at]]\n\t"
        "add %[at], %[at], %[channels]\n\t"
        "vadd.i16 q0, q0, q1\n\t"
        "subs %[column], %[column], #1\n\t"
        "bne 3b\n\t"
        "add %[at], %[at], %[step]\n\t"
        "subs %[row], %[row], #1\n\t"
        "bne 2b\n\t"
        "vstrh.16 q0, [%[to]], #16\n\t"
        "add %[from], %[from], #8\n\t"
        "letp lr, 1b"
        : [from] "+r"(from), [to] "+r"(to), [at] "=&l"(at), [row] "=&r"(row), [column] "=&r"(column)
        : [channels] "r"(layer->channels), [rows] "r"(window->rows), [columns] "r"(window->columns),
          [step] "r"(window->row_step)
        : "lr", "cc", "q0", "q1", "memory");
}

/* Sums times a reciprocal with 30 fraction bits, rounded up: that pushes the quotient away from zero, ties
 * with it, by less than half of what lies between two quotients. */
TINYC_KERNEL void tinyc_mve_means(const struct tinyc_pool_2d *layer, int32_t reciprocal, const int16_t *sums,
                                  int8_t *to) {
    __asm__ volatile(
        "vdup.32 q1, %[reciprocal]\n\t"
        "vdup.32 q2, %[low]\n\t"
        "vdup.32 q3, %[high]\n\t"
        "dlstp.32 lr, %[channels]\n"
        "1:\n\t"
        "vldrh.s32 q0, [%[sums]], #8\n\t"
        "vshl.i32 q0, q0, #16\n\t"
        "vmulh.s32 q0, q0, q1\n\t"
        "vrshr.s32 q0, q0, #14\n\t"
        "vmax.s32 q0, q0, q2\n\t"
        "vmin.s32 q0, q0, q3\n\t"
        "vstrb.32 q0, [%[to]], #4\n\t"
        "letp lr, 1b"
        : [sums] "+l"(sums), [to] "+l"(to)
        : [reciprocal] "r"(reciprocal), [low] "r"(layer->low), [high] "r"(layer->high),
          [channels] "r"(layer->channels)
        : "lr", "q0", "q1", "q2", "q3", "memory");
}

#else

TINYC_KERNEL void tinyc_mve_sum_window(const struct tinyc_pool_2d *layer, const struct tinyc_window *window,
                                       const int8_t *from, int16_t *to) {
    for (int32_t channel = 0; channel < layer->channels; channel++) {
        int32_t sum = 0;
        const int8_t *at = from + channel;
        for (int32_t row = 0; row < window->rows; row++, at += window->row_step) {
            for (int32_t column = 0; column < window->columns; column++, at += layer->channels) {
                sum += *at;
            }
        }
        to[channel] = (int16_t)sum;
    }
}

TINYC_KERNEL void tinyc_mve_means(const struct tinyc_pool_2d *layer, int32_t reciprocal, const int16_t *sums,
                                  int8_t *to) {
    for (int32_t channel = 0; channel < layer->channels; channel++) {
        const int32_t scaled = (int32_t)((int64_t)reciprocal * sums[channel] >> 16);
        to[channel] = (int8_t)tinyc_clamp((scaled + (1 << 13)) >> 14, layer->low, layer->high);
    }
}

#endif

/* Windows of up to 256 elements, whose sums fit in int16. Scratch: the sums of a pixel. */
TINYC_KERNEL void tinyc_average_pool_2d_s8__helium(const struct tinyc_pool_2d *layer, const int8_t *input,
                                                   int8_t *output, void *scratch) {
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            for (int32_t x = 0; x < layer->output_width; x++, output += layer->channels) {
                const struct tinyc_window window = tinyc_mve_solid_window(layer, y, x);
                tinyc_mve_sum_window(layer, &window, input + window.first, scratch);
                tinyc_mve_means(layer, (1 << 30) / (window.rows * window.columns) + 1, scratch, output);
            }
        }
        input += layer->input_height * layer->input_width * layer->channels;
    }
}
