/* MUL on words of four elements. */
#ifndef TINYC_MUL_WORDS_H
#define TINYC_MUL_WORDS_H

#include <stdint.h>

#include "tinyc_binary.h"

/* Twice the product that MUL requantizes is (a + first) * 2 * (b + second). */
TINYC_KERNEL void tinyc_mul_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b, int8_t *y) {
    const int32_t offset = layer->offset, multiplier = layer->multiplier, shift = layer->shift;
    const uint32_t first = ((uint32_t)layer->first & 0xffffu) | (uint32_t)layer->first << 16;
    const uint32_t second = ((uint32_t)layer->second & 0xffffu) | (uint32_t)layer->second << 16;
    int8_t *const words_end = y + (layer->run & ~3);
    int8_t *const end = y + layer->run;
    while (y < words_end) {
        const uint32_t word_a = tinyc_take_word(&a), word_b = tinyc_take_word(&b);
        const uint32_t even_a = tinyc_sxtab16(first, word_a), odd_a = tinyc_sxtab16_odd(first, word_a);
        uint32_t even_b = tinyc_sxtab16(second, word_b), odd_b = tinyc_sxtab16_odd(second, word_b);
        even_b = tinyc_sadd16(even_b, even_b);
        odd_b = tinyc_sadd16(odd_b, odd_b);
        const int32_t y0 = tinyc_binary_output(tinyc_smulbb(even_a, even_b), multiplier, shift, offset);
        const int32_t y2 = tinyc_binary_output(tinyc_smultt(even_a, even_b), multiplier, shift, offset);
        const int32_t y1 = tinyc_binary_output(tinyc_smulbb(odd_a, odd_b), multiplier, shift, offset);
        const int32_t y3 = tinyc_binary_output(tinyc_smultt(odd_a, odd_b), multiplier, shift, offset);
        tinyc_put_word(&y, tinyc_join_bytes(y0, y1, y2, y3));
    }
    while (y < end) {
        const int32_t x = (*a++ + layer->first) * 2 * (*b++ + layer->second);
        *y++ = (int8_t)tinyc_binary_output(x, multiplier, shift, offset);
    }
}

#endif
