/* One filter per channel, each channel in turn over the pixels of the window.
 *
 * Taps come in threes: weights are filled up with zeros, pointers with the padding. Behind a channel's
 * head lies one weight a byte, up to a whole word. Scratch: a pointer per tap (8 bytes each), then a
 * pixel of padding. */

/* Points `taps` at the pixels under one window, outside of the image at `padding`. */
TINYC_INLINE void tinyc_scalar_taps(const struct tinyc_scalar_conv_2d *layer, const int8_t *image, int32_t top,
                                    int32_t left, const int8_t *padding, const int8_t **taps) {
    const int32_t width = layer->input_width, channels = layer->input_channels;
    for (int32_t row = 0, y = top; row < layer->kernel_height; row++, y += layer->dilation_height) {
        /* As an unsigned number, a column left of the image is beyond its right edge. */
        const uint32_t columns = (uint32_t)y < (uint32_t)layer->input_height ? (uint32_t)width : 0u;
        const int32_t line = y * width;
        int32_t x = left;
        for (int32_t tap = 0; tap < layer->kernel_width; tap++, x += layer->dilation_width) {
            *taps++ = (uint32_t)x < columns ? image + (line + x) * channels : padding;
        }
    }
}

/* The weights from `weight` on times the channel of the pixels at `tap` to `end`, three or more. */
#if defined(__ARM_ARCH_6M__)
TINYC_KERNEL TINYC_SCALAR_NAKED uint32_t tinyc_scalar_window(const int8_t *const *tap TINYC_SCALAR_UNUSED,
                                                             const int8_t *const *end TINYC_SCALAR_UNUSED,
                                                             const int8_t *weight TINYC_SCALAR_UNUSED,
                                                             int32_t channel TINYC_SCALAR_UNUSED) {
    /* Signed bytes come by two registers only: the channel serves for the weights as well. */
    __asm__ volatile(
        ".syntax unified\n\t"
        "push {r4, r5, r6, r7, lr}\n\t"
        "mov r12, r1\n\t"
        "movs r1, #0\n\t" /* the sum */
        "subs r2, r2, r3\n"
        "1:\n\t"
        "ldm r0!, {r4, r5, r6}\n\t"
        "ldrsb r7, [r2, r3]\n\t"
        "adds r2, r2, #1\n\t"
        "ldrsb r4, [r4, r3]\n\t"
        "muls r4, r7, r4\n\t"
        "adds r1, r1, r4\n\t"
        "ldrsb r7, [r2, r3]\n\t"
        "adds r2, r2, #1\n\t"
        "ldrsb r5, [r5, r3]\n\t"
        "muls r5, r7, r5\n\t"
        "adds r1, r1, r5\n\t"
        "ldrsb r7, [r2, r3]\n\t"
        "adds r2, r2, #1\n\t"
        "ldrsb r6, [r6, r3]\n\t"
        "muls r6, r7, r6\n\t"
        "adds r1, r1, r6\n\t"
        "cmp r0, r12\n\t"
        "bne 1b\n\t"
        "movs r0, r1\n\t"
        "pop {r4, r5, r6, r7, pc}");
}
#else
TINYC_INLINE uint32_t tinyc_scalar_window(const int8_t *const *tap, const int8_t *const *end,
                                          const int8_t *weight, int32_t channel) {
    uint32_t sum = 0u;
    do {
        sum += (uint32_t)(tap[0][channel] * weight[0]);
        sum += (uint32_t)(tap[1][channel] * weight[1]);
        sum += (uint32_t)(tap[2][channel] * weight[2]);
        tap += 3;
        weight += 3;
    } while (tap != end);
    return sum;
}
#endif

TINYC_KERNEL void tinyc_depthwise_conv_2d_s8__scalar(const struct tinyc_scalar_conv_2d *layer,
                                                     const int8_t *input, int8_t *output, void *scratch) {
    const int32_t channels = layer->input_channels;
    const int32_t image = layer->input_height * layer->input_width * channels;
    const int32_t count = layer->kernel_height * layer->kernel_width, rounded = (count + 2) / 3 * 3;
    const uint32_t length = ((uint32_t)rounded + 3u) / 4u;
    const int8_t **const taps = scratch;
    const int8_t *const *const end = taps + rounded;
    int8_t *const padding = (int8_t *)scratch + 8 * rounded;

    memset(padding, layer->input_zero, (uint32_t)channels);
    for (int32_t tap = count; tap < rounded; tap++) {
        taps[tap] = padding;
    }
    for (int32_t batch = 0; batch < layer->batches; batch++, input += image) {
        int32_t top = -layer->pad_top;
        for (int32_t row = 0; row < layer->output_height; row++, top += layer->stride_height) {
            int32_t left = -layer->pad_left;
            for (int32_t column = 0; column < layer->output_width; column++, left += layer->stride_width) {
                tinyc_scalar_taps(layer, input, top, left, padding, taps);
                const uint32_t *words = layer->words;
                for (int32_t channel = 0; channel < channels; channel++) {
                    const uint32_t *const head = words;
                    const int8_t *const weight = (const int8_t *)(head + TINYC_SCALAR_HEAD);
                    const uint32_t sum = head[0] + tinyc_scalar_window(taps, end, weight, channel);
                    words = head + TINYC_SCALAR_HEAD + length;
                    *output++ = tinyc_scalar_output(sum, (int32_t)head[1], (int32_t)head[2], &layer->range);
                }
            }
        }
    }
}
