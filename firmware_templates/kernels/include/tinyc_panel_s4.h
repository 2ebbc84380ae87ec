/* tinyc_panel.h for weights of four bits: a word has four inputs of two channels. */
#ifndef TINYC_PANEL_S4_H
#define TINYC_PANEL_S4_H

#include <stdint.h>

#include "tinyc_nibble_words.h"
#include "tinyc_panel_rows.h"

/* `weights` of a `struct tinyc_panel` holds, for each pair of channels a, b and each four inputs, the word with
 * the numbers (a0, a2, b0, b2, a1, a3, b1, b3) plus 8, the first in the lowest bits; an odd last channel has a
 * partner of zeros, and what lies behind a row meets zeros. */

/* What the sums of a row of halfwords begin with. */
TINYC_INLINE uint32_t tinyc_panel_s4_offset(const tinyc_word *row, const tinyc_word *end) {
    uint32_t sum = 0;
    do {
        uint32_t low, high;
        tinyc_next_words(&row, &low, &high);
        sum = tinyc_nibble_offset(low, sum);
        sum = tinyc_nibble_offset(high, sum);
    } while (row != end);
    return sum;
}

/* As tinyc_panel_row(). */
TINYC_KERNEL void tinyc_panel_s4_row(const struct tinyc_panel *layer, const tinyc_word *panel, int8_t *output) {
    const tinyc_word *weights = (const tinyc_word *)(const void *)layer->weights;
    const tinyc_word *const end = panel + layer->depth / 2;
    const int32_t channel_mask = layer->channel_mask, offset = layer->offset;
    const uint32_t mask = tinyc_nibble_mask(), first = tinyc_panel_s4_offset(panel, end);

    for (int32_t channel = 0; channel < layer->channels; channel += 2) {
        const int32_t second = channel + 1 < layer->channels ? channel + 1 : channel;
        uint32_t sum0 = first + (uint32_t)layer->bias[channel];
        uint32_t sum1 = first + (uint32_t)layer->bias[second];
        const tinyc_word *row = panel;
        do {
            uint32_t low, high;
            const uint32_t word = tinyc_next_word(&weights);
            tinyc_next_words(&row, &low, &high);
            sum0 = tinyc_smlad(word & mask, low, sum0);
            sum0 = tinyc_smlad(word >> 4 & mask, high, sum0);
            sum1 = tinyc_smlad(word >> 8 & mask, low, sum1);
            sum1 = tinyc_smlad(word >> 12 & mask, high, sum1);
        } while (row != end);
        const int32_t e0 = channel & channel_mask, e1 = second & channel_mask;
        output[channel] = tinyc_output_s8(sum0, layer->multiplier[e0], layer->right[e0], offset);
        if (second != channel) {
            output[second] = tinyc_output_s8(sum1, layer->multiplier[e1], layer->right[e1], offset);
        }
    }
}

/* As tinyc_panel_two_rows(). */
TINYC_KERNEL void tinyc_panel_s4_two_rows(const struct tinyc_panel *layer, const tinyc_word *panel,
                                          int8_t *output, int32_t stride) {
    const tinyc_word *weights = (const tinyc_word *)(const void *)layer->weights;
    const tinyc_word *const end = panel + layer->depth / 2;
    const uint32_t mask = tinyc_nibble_mask();
    const uint32_t first_x = tinyc_panel_s4_offset(panel, end);
    const uint32_t first_y = tinyc_panel_s4_offset(end, end + layer->depth / 2);

    for (int32_t channel = 0; channel < layer->channels; channel += 2) {
        const int32_t second = channel + 1 < layer->channels ? channel + 1 : channel;
        const uint32_t bias0 = (uint32_t)layer->bias[channel], bias1 = (uint32_t)layer->bias[second];
        uint32_t sum_x0 = first_x + bias0, sum_y0 = first_y + bias0;
        uint32_t sum_x1 = first_x + bias1, sum_y1 = first_y + bias1;
        const tinyc_word *row_x = panel, *row_y = end;
        do {
            /* Thirteen registers: four sums, four pointers, the mask, a word, a pair of it, two of inputs. */
            const uint32_t word = tinyc_next_word(&weights);
            uint32_t x = tinyc_next_word(&row_x), y = tinyc_next_word(&row_y), pair = word & mask;
            sum_x0 = tinyc_smlad(pair, x, sum_x0);
            sum_y0 = tinyc_smlad(pair, y, sum_y0);
            pair = word >> 8 & mask;
            sum_x1 = tinyc_smlad(pair, x, sum_x1);
            sum_y1 = tinyc_smlad(pair, y, sum_y1);
            x = tinyc_next_word(&row_x);
            y = tinyc_next_word(&row_y);
            pair = word >> 4 & mask;
            sum_x0 = tinyc_smlad(pair, x, sum_x0);
            sum_y0 = tinyc_smlad(pair, y, sum_y0);
            pair = word >> 12 & mask;
            sum_x1 = tinyc_smlad(pair, x, sum_x1);
            sum_y1 = tinyc_smlad(pair, y, sum_y1);
        } while (row_x != end);
        const int32_t channel_mask = layer->channel_mask, offset = layer->offset;
        const int32_t e0 = channel & channel_mask, e1 = second & channel_mask;
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
