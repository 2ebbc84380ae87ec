/* ADD and SUB with a table for one operand. */
#ifndef TINYC_ADD_TABLE_H
#define TINYC_ADD_TABLE_H

#include <stdint.h>

#include "tinyc_binary.h"

/* Twice the sum that ADD requantizes is first * a + table[b]. `table` goes by the byte of b. */
TINYC_KERNEL void tinyc_add_table_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b,
                                      int8_t *y) {
    const int32_t first = layer->first, offset = layer->offset;
    const int32_t multiplier = layer->multiplier, shift = layer->shift;
    const int32_t *const table = layer->table;
    int8_t *const words_end = y + (layer->run & ~3);
    int8_t *const end = y + layer->run;
    while (y < words_end) {
        const uint32_t word_a = tinyc_take_word(&a), word_b = tinyc_take_word(&b);
        const int32_t x0 = (int8_t)(word_a & 0xffu) * first + table[word_b & 0xffu];
        const int32_t x1 = (int8_t)(word_a >> 8 & 0xffu) * first + table[word_b >> 8 & 0xffu];
        const int32_t x2 = (int8_t)(word_a >> 16 & 0xffu) * first + table[word_b >> 16 & 0xffu];
        const int32_t x3 = (int8_t)(word_a >> 24) * first + table[word_b >> 24];
        const int32_t y0 = tinyc_binary_output(x0, multiplier, shift, offset);
        const int32_t y1 = tinyc_binary_output(x1, multiplier, shift, offset);
        const int32_t y2 = tinyc_binary_output(x2, multiplier, shift, offset);
        const int32_t y3 = tinyc_binary_output(x3, multiplier, shift, offset);
        tinyc_put_word(&y, tinyc_join_bytes(y0, y1, y2, y3));
    }
    while (y < end) {
        const int32_t x = *a++ * first + table[(uint8_t)*b++];
        *y++ = (int8_t)tinyc_binary_output(x, multiplier, shift, offset);
    }
}

#endif
