/* One filter per channel, at least four channels, four at a time; the last four overlap the ones
 * before when the channels are not a multiple of 4.
 *
 * Weights: for each four channels and each two taps (s, t), in the order of the taps, the words
 * (s0, s1, t0, t1) and (s2, s3, t2, t3); an odd last tap has a partner of zeros. The bias contains
 * the input offset times the weights. Multiplier and shift are per channel; the shift is one less
 * than the right shift, as tinyc_output_s8() wants it.
 * Scratch: a pointer per tap (an even number, 8 bytes each), then a pixel of padding. */

/* Points `taps` at the pixels under one window, outside of the image at `padding`. */
TINYC_INLINE void tinyc_depthwise_taps(const struct tinyc_conv_2d *layer, const int8_t *image, int32_t top,
                                       int32_t left, const int8_t *padding, const int8_t **taps) {
    const int32_t width = layer->input_width, channels = layer->input_channels;
    const int32_t kernel_width = layer->kernel_width, step = layer->dilation_width;
    const int8_t *const *end = taps;
    for (int32_t ky = 0, y = top; ky < layer->kernel_height; ky++, y += layer->dilation_height) {
        /* As an unsigned number, a column left of the image is beyond its right edge. */
        const uint32_t columns = y >= 0 && y < layer->input_height ? (uint32_t)width : 0u;
        const int32_t line = y * width;
        end += kernel_width;
        for (int32_t x = left; taps != end; x += step) {
            *taps++ = (uint32_t)x < columns ? image + (line + x) * channels : padding;
        }
    }
}

/* Four channels of one pixel; answers where the next four's weights begin. */
TINYC_INLINE const tinyc_word *tinyc_depthwise_four(const struct tinyc_conv_2d *layer,
                                                    const int8_t *const *taps, const int8_t *const *end,
                                                    const tinyc_word *weights, int32_t channel,
                                                    int8_t *output) {
    const int32_t *bias = layer->bias + channel;
    uint32_t sum0 = (uint32_t)bias[0], sum1 = (uint32_t)bias[1];
    uint32_t sum2 = (uint32_t)bias[2], sum3 = (uint32_t)bias[3];
    do {
        const int8_t *s, *t;
        tinyc_next_pointers(&taps, &s, &t);
        const uint32_t a = tinyc_load_word(s + channel), b = tinyc_load_word(t + channel);
        uint32_t w = tinyc_next_word(&weights);
        uint32_t x = tinyc_pack_bottoms(a, b);
        sum0 = tinyc_smlad(tinyc_sxtb16(x), tinyc_sxtb16(w), sum0);
        sum1 = tinyc_smlad(tinyc_sxtb16_odd(x), tinyc_sxtb16_odd(w), sum1);
        w = tinyc_next_word(&weights);
        x = tinyc_pack_tops(a, b);
        sum2 = tinyc_smlad(tinyc_sxtb16(x), tinyc_sxtb16(w), sum2);
        sum3 = tinyc_smlad(tinyc_sxtb16_odd(x), tinyc_sxtb16_odd(w), sum3);
    } while (taps != end);
    const int32_t *multiplier = layer->multiplier + channel;
    const int8_t *right = layer->shift + channel;
    const int32_t offset = 2 * layer->output_offset + 1;
    const int8_t y0 = tinyc_output_s8(sum0, multiplier[0], right[0], offset);
    const int8_t y1 = tinyc_output_s8(sum1, multiplier[1], right[1], offset);
    const int8_t y2 = tinyc_output_s8(sum2, multiplier[2], right[2], offset);
    const int8_t y3 = tinyc_output_s8(sum3, multiplier[3], right[3], offset);
    output[channel] = y0;
    output[channel + 1] = y1;
    output[channel + 2] = y2;
    output[channel + 3] = y3;
    return weights;
}

TINYC_KERNEL void tinyc_depthwise_conv_2d_s8__cortex_m4(const struct tinyc_conv_2d *layer,
                                                        const int8_t *input, int8_t *output,
                                                        void *scratch) {
    const int32_t channels = layer->input_channels;
    const int32_t image = layer->input_height * layer->input_width * channels;
    const int32_t count = (layer->kernel_height * layer->kernel_width + 1) & ~1;
    const int8_t **const taps = scratch;
    const int8_t *const *const end = taps + count;
    int8_t *const padding = (int8_t *)scratch + 8 * count;
    int8_t *target = output;

    memset(padding, -layer->input_offset, (uint32_t)channels);
    taps[count - 1] = padding;
    for (int32_t batch = 0; batch < layer->batches; batch++, input += image) {
        int32_t top = -layer->pad_top;
        for (int32_t row = 0; row < layer->output_height; row++, top += layer->stride_height) {
            int32_t left = -layer->pad_left;
            for (int32_t column = 0; column < layer->output_width; column++, left += layer->stride_width) {
                tinyc_depthwise_taps(layer, input, top, left, padding, taps);
                const tinyc_word *weights = (const tinyc_word *)(const void *)layer->weights;
                for (int32_t next = 0; next < channels; next += 4) {
                    const int32_t channel = next < channels - 4 ? next : channels - 4;
                    weights = tinyc_depthwise_four(layer, taps, end, weights, channel, target);
                }
                target += channels;
            }
        }
    }
    tinyc_clamp_s8(output, (int32_t)(target - output), layer->low, layer->high);
}
