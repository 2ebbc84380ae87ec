/* ADD, SUB and MUL on words of four elements. */
#ifndef TINYC_BINARY_H
#define TINYC_BINARY_H

#include <stdint.h>

#include "tinyc_bytes.h"

/* Operands that broadcast along the three outer axes, where a stride of 0 repeats an operand; along
   the innermost axis, `run` elements, both are contiguous. What the numbers mean is said at the
   function that uses them; they are proved for all 65,536 pairs of elements. */
struct tinyc_binary {
    int32_t extents[3], first_strides[3], second_strides[3];
    int32_t run;
    int32_t swapped; /* 1: the kernel's left operand is the second one */
    int32_t first, second, offset;
    int32_t multiplier, shift;
    int32_t low, high;
    const int32_t *table;
    const int8_t *constant; /* the right operand of the kernels for constants, else null */
};

typedef void tinyc_binary_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b, int8_t *y);

/* Calls `run` for each run, then applies the fused activation. */
TINYC_INLINE void tinyc_binary_layer(const struct tinyc_binary *layer, const int8_t *left, const int8_t *right,
                                     int8_t *output, tinyc_binary_run *run) {
    const int8_t *const first = layer->swapped ? right : left;
    const int8_t *const second = layer->swapped ? left : right;
    const int32_t *const steps = layer->first_strides, *const others = layer->second_strides;
    int8_t *target = output;
    for (int32_t i = 0; i < layer->extents[0]; i++) {
        for (int32_t j = 0; j < layer->extents[1]; j++) {
            for (int32_t k = 0; k < layer->extents[2]; k++) {
                run(layer, first + i * steps[0] + j * steps[1] + k * steps[2],
                    second + i * others[0] + j * others[1] + k * others[2], target);
                target += layer->run;
            }
        }
    }
    tinyc_clamp_bytes(output, (int32_t)(target - output), layer->low, layer->high);
}

/* y = floor((first * a + second * b + offset) / 2^20) clamped to int8; the factors have eight more
   fraction bits. */
TINYC_INLINE void tinyc_add_linear_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b,
                                       int8_t *y) {
    const int32_t first = layer->first, second = layer->second, offset = layer->offset;
    int8_t *const words_end = y + (layer->run & ~3);
    int8_t *const end = y + layer->run;
    while (y < words_end) {
        const uint32_t word_a = tinyc_take_word(&a), word_b = tinyc_take_word(&b);
        const uint32_t even_a = tinyc_even_times_256(word_a), odd_a = tinyc_odd_times_256(word_a);
        const uint32_t even_b = tinyc_even_times_256(word_b), odd_b = tinyc_odd_times_256(word_b);
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

/* Requantization of x with x / 2 in 30 bits: the high multiply brings `offset` along, rounding half and
   output offset in the units before the shift; what it rounds up it rounds towards plus infinity, which
   for a negative x is put right by 1 less. */
TINYC_INLINE int32_t tinyc_binary_output(int32_t x, int32_t multiplier, int32_t shift, int32_t offset) {
    return tinyc_to_s8((tinyc_smmlar(x, multiplier, offset) + (x >> 31)) >> shift);
}

/* Twice the sum that ADD requantizes is first * a + table[b]. `table` goes by the byte of b. */
TINYC_INLINE void tinyc_add_table_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b,
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

/* Twice the product that MUL requantizes is (a + first) * 2 * (b + second). */
TINYC_INLINE void tinyc_mul_run(const struct tinyc_binary *layer, const int8_t *a, const int8_t *b, int8_t *y) {
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
