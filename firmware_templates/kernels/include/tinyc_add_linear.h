/* ADD and SUB as one linear function of both operands. */
#ifndef TINYC_ADD_LINEAR_H
#define TINYC_ADD_LINEAR_H

#include <stdint.h>

#include "tinyc_binary.h"

/* y = floor((first * a + second * b + offset) / 2^20) clamped to int8; the factors have eight more
   fraction bits. */
TINYC_KERNEL void tinyc_add_linear_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b,
                                       int8_t *y) {
    const int32_t first = layer->first, second = layer->second, offset = layer->offset;
    const uint32_t mask = 0xff00ff00u; /* elements times 256, one in each half */
    int8_t *const words_end = y + (layer->run & ~3);
    int8_t *const end = y + layer->run;
    while (y < words_end) {
        const uint32_t word_a = tinyc_take_word(&a), word_b = tinyc_take_word(&b);
        const uint32_t even_a = tinyc_even_times_256(word_a, mask), odd_a = word_a & mask;
        const uint32_t even_b = tinyc_even_times_256(word_b, mask), odd_b = word_b & mask;
        const int32_t y0 = tinyc_q20_to_s8(tinyc_smlawb(second, even_b, tinyc_smlawb(first, even_a, offset)));
        const int32_t y2 = tinyc_q20_to_s8(tinyc_smlawt(second, even_b, tinyc_smlawt(first, even_a, offset)));
        const int32_t y1 = tinyc_q20_to_s8(tinyc_smlawb(second, odd_b, tinyc_smlawb(first, odd_a, offset)));
        const int32_t y3 = tinyc_q20_to_s8(tinyc_smlawt(second, odd_b, tinyc_smlawt(first, odd_a, offset)));
        tinyc_put_word(&y, tinyc_join_bytes(y0, y1, y2, y3));
    }
    while (y < end) {
        const uint32_t x = (uint32_t)*a++ << 8;
        *y++ = (int8_t)tinyc_q20_to_s8(tinyc_smlawb(second, (uint32_t)*b++ << 8, tinyc_smlawb(first, x, offset)));
    }
}

#endif
