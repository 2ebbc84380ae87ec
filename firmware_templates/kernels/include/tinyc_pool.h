/* Sums and maxima over pixels, four channels to the word. */
#ifndef TINYC_POOL_H
#define TINYC_POOL_H

#include <stdint.h>

#include "pool_2d.h"
#include "tinyc_bytes.h"

/* Of int8 elements whose sum fits in int16. */
#define TINYC_MOST_SUMMANDS 256

/* Sums of four channels: 0 and 2, 1 and 3, as int16 in halves. */
struct tinyc_sums {
    uint32_t even, odd;
};

/* Adds `count` pixels, `step` bytes apart, from `*from` on, which moves behind them. */
TINYC_INLINE struct tinyc_sums tinyc_sum_pixels(struct tinyc_sums sums, const int8_t **from, int32_t step,
                                                int32_t count) {
    const int8_t *at = *from;
    const int8_t *const end = at + count * step;
    if (count & 1) {
        const uint32_t word = tinyc_load_word(at);
        sums.even = tinyc_sxtab16(sums.even, word);
        sums.odd = tinyc_sxtab16_odd(sums.odd, word);
        at += step;
    }
    while (at != end) {
        uint32_t first, second;
        at = tinyc_two_words(at, step, &first, &second);
        sums.even = tinyc_sxtab16(sums.even, first);
        sums.odd = tinyc_sxtab16_odd(sums.odd, first);
        sums.even = tinyc_sxtab16(sums.even, second);
        sums.odd = tinyc_sxtab16_odd(sums.odd, second);
    }
    *from = at;
    return sums;
}

/* Adds any number of pixels to four sums. */
TINYC_INLINE void tinyc_sum_many_pixels(int32_t *total, const int8_t **from, int32_t step, int32_t count) {
    while (count > 0) {
        const int32_t part = count < TINYC_MOST_SUMMANDS ? count : TINYC_MOST_SUMMANDS;
        const struct tinyc_sums none = {0, 0};
        const struct tinyc_sums sums = tinyc_sum_pixels(none, from, step, part);
        total[0] += tinyc_bottom(sums.even);
        total[1] += tinyc_bottom(sums.odd);
        total[2] += tinyc_top(sums.even);
        total[3] += tinyc_top(sums.odd);
        count -= part;
    }
}

/* The largest of `most` and `count` pixels, per channel. */
TINYC_INLINE uint32_t tinyc_max_pixels(uint32_t most, const int8_t **from, int32_t step, int32_t count) {
    const int8_t *at = *from;
    const int8_t *const end = at + count * step;
    if (count & 1) {
        most = tinyc_max_bytes(tinyc_load_word(at), most);
        at += step;
    }
    while (at != end) {
        uint32_t first, second;
        at = tinyc_two_words(at, step, &first, &second);
        most = tinyc_max_bytes(first, most);
        most = tinyc_max_bytes(second, most);
    }
    *from = at;
    return most;
}

/* A window; one that lies in one piece is a single row. */
TINYC_INLINE struct tinyc_window tinyc_pool_solid_window(const struct tinyc_pool_2d *layer, int32_t y,
                                                         int32_t x) {
    struct tinyc_window window = tinyc_pool_window(layer, y, x);
    if (window.row_step == 0) {
        window.columns *= window.rows;
        window.rows = 1;
    }
    return window;
}

#endif
