/* Products of int8 weights with int16 panels, two channels at a time: the inner loops that the
 * ARMv7E-M convolutions and fully connected layers share. */
#ifndef TINYC_PANEL_H
#define TINYC_PANEL_H

#include <stdint.h>

#include "tinyc_panel_rows.h"

/* `weights` of a `struct tinyc_panel` holds, for each pair of channels and each four inputs, the word (k0, k2, k1, k3)
 * of the first channel and the same of the second; an odd last channel has a partner of zeros, and what lies behind
 * a row meets zeros. */

/* One row of `depth` halfwords at `panel` to `channels` outputs. */
TINYC_KERNEL void tinyc_panel_row(const struct tinyc_panel *layer, const tinyc_word *panel, int8_t *output) {
    const tinyc_word *weights = (const tinyc_word *)(const void *)layer->weights;
    const tinyc_word *const end = panel + layer->depth / 2;
    const int32_t mask = layer->channel_mask, offset = layer->offset;

    for (int32_t channel = 0; channel < layer->channels; channel += 2) {
        const int32_t second = channel + 1 < layer->channels ? channel + 1 : channel;
        uint32_t sum0 = (uint32_t)layer->bias[channel];
        uint32_t sum1 = (uint32_t)layer->bias[second];
        const tinyc_word *row = panel;
        do {
            uint32_t x_low, x_high, w0, w1;
            tinyc_next_words(&weights, &w0, &w1);
            tinyc_next_words(&row, &x_low, &x_high);
            sum0 = tinyc_smlad(tinyc_sxtb16(w0), x_low, sum0);
            sum0 = tinyc_smlad(tinyc_sxtb16_odd(w0), x_high, sum0);
            sum1 = tinyc_smlad(tinyc_sxtb16(w1), x_low, sum1);
            sum1 = tinyc_smlad(tinyc_sxtb16_odd(w1), x_high, sum1);
        } while (row != end);
        const int32_t e0 = channel & mask, e1 = second & mask;
        output[channel] = tinyc_output_s8(sum0, layer->multiplier[e0], layer->right[e0], offset);
        if (second != channel) {
            output[second] = tinyc_output_s8(sum1, layer->multiplier[e1], layer->right[e1], offset);
        }
    }
}

/* Two rows, one behind the other at `panel`; the outputs of the second lie `stride` bytes behind
 * those of the first. */
TINYC_KERNEL void tinyc_panel_two_rows(const struct tinyc_panel *layer, const tinyc_word *panel,
                                       int8_t *output, int32_t stride) {
    const tinyc_word *weights = (const tinyc_word *)(const void *)layer->weights;
    const tinyc_word *const end = panel + layer->depth / 2;

    for (int32_t channel = 0; channel < layer->channels; channel += 2) {
        const int32_t second = channel + 1 < layer->channels ? channel + 1 : channel;
        uint32_t sum_x0 = (uint32_t)layer->bias[channel], sum_y0 = sum_x0;
        uint32_t sum_x1 = (uint32_t)layer->bias[second], sum_y1 = sum_x1;
        const tinyc_word *row_x = panel, *row_y = end;
        do {
            /* Fourteen registers: four sums, four pointers, four pairs of weights, two of inputs. */
            uint32_t w0, w1, w0_low, w0_high, w1_low, w1_high, low, high;
            tinyc_next_words(&weights, &w0, &w1);
            tinyc_split_bytes(w0, &w0_low, &w0_high);
            tinyc_split_bytes(w1, &w1_low, &w1_high);
            tinyc_next_words(&row_x, &low, &high);
            sum_x0 = tinyc_smlad(w0_low, low, sum_x0);
            sum_x1 = tinyc_smlad(w1_low, low, sum_x1);
            sum_x0 = tinyc_smlad(w0_high, high, sum_x0);
            sum_x1 = tinyc_smlad(w1_high, high, sum_x1);
            tinyc_next_words(&row_y, &low, &high);
            sum_y0 = tinyc_smlad(w0_low, low, sum_y0);
            sum_y1 = tinyc_smlad(w1_low, low, sum_y1);
            sum_y0 = tinyc_smlad(w0_high, high, sum_y0);
            sum_y1 = tinyc_smlad(w1_high, high, sum_y1);
        } while (row_x != end);
        const int32_t mask = layer->channel_mask, offset = layer->offset;
        const int32_t e0 = channel & mask, e1 = second & mask;
        const int32_t m0 = layer->multiplier[e0], r0 = layer->right[e0];
        const int32_t m1 = layer->multiplier[e1], r1 = layer->right[e1];
        output[channel] = tinyc_output_s8(sum_x0, m0, r0, offset);
        output[channel + stride] = tinyc_output_s8(sum_y0, m0, r0, offset);
        if (second != channel) {
            output[second] = tinyc_output_s8(sum_x1, m1, r1, offset);
            output[second + stride] = tinyc_output_s8(sum_y1, m1, r1, offset);
        }
    }
}

#endif
