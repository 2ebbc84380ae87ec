#if defined(__ARM_FEATURE_MVE)

/* The maxima of a window, clamped. */
TINYC_KERNEL void tinyc_mve_max_window(const struct tinyc_pool_2d *layer, const struct tinyc_window *window,
                                       const int8_t *from, int8_t *to) {
    const int8_t *at;
    int32_t row, column;
    __asm__ volatile(
        "vdup.8 q2, %[low]\n\t"
        "vdup.8 q3, %[high]\n\t"
        "dlstp.8 lr, %[channels]\n"
        "1:\n\t"
        "mov %[at], %[from]\n\t"
        "mov %[row], %[rows]\n\t"
        "vmov q0, q2\n"
        "2:\n\t"
        "mov %[column], %[columns]\n"
        "3:\n\t"
        "vldrb.8 q1, [%[at]]\n\t"
        "add %[at], %[at], %[channels]\n\t"
        "vmax.s8 q0, q0, q1\n\t"
        "subs %[column], %[column], #1\n\t"
        "bne 3b\n\t"
        "add %[at], %[at], %[step]\n\t"
        "subs %[row], %[row], #1\n\t"
        "bne 2b\n\t"
        "vmin.s8 q0, q0, q3\n\t"
        "vstrb.8 q0, [%[to]], #16\n\t"
        "add %[from], %[from], #16\n\t"
        "letp lr, 1b"
        : [from] "+r"(from), [to] "+r"(to), [at] "=&r"(at), [row] "=&r"(row), [column] "=&r"(column)
        : [low] "r"(layer->low), [high] "r"(layer->high), [channels] "r"(layer->channels),
          [rows] "r"(window->rows), [columns] "r"(window->columns), [step] "r"(window->row_step)
        : "lr", "cc", "q0", "q1", "q2", "q3", "memory");
}

#else

TINYC_KERNEL void tinyc_mve_max_window(const struct tinyc_pool_2d *layer, const struct tinyc_window *window,
                                       const int8_t *from, int8_t *to) {
    for (int32_t channel = 0; channel < layer->channels; channel++) {
        int32_t most = layer->low;
        const int8_t *at = from + channel;
        for (int32_t row = 0; row < window->rows; row++, at += window->row_step) {
            for (int32_t column = 0; column < window->columns; column++, at += layer->channels) {
                most = *at > most ? *at : most;
            }
        }
        to[channel] = (int8_t)(most < layer->high ? most : layer->high);
    }
}

#endif

TINYC_KERNEL void tinyc_max_pool_2d_s8__helium(const struct tinyc_pool_2d *layer, const int8_t *input,
                                               int8_t *output) {
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        for (int32_t y = 0; y < layer->output_height; y++) {
            for (int32_t x = 0; x < layer->output_width; x++, output += layer->channels) {
                const struct tinyc_window window = tinyc_mve_solid_window(layer, y, x);
                tinyc_mve_max_window(layer, &window, input + window.first, output);
            }
        }
        input += layer->input_height * layer->input_width * layer->channels;
    }
}
