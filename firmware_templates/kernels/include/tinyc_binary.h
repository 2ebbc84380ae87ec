/* ADD, SUB and MUL on words of four elements. */
#ifndef TINYC_BINARY_H
#define TINYC_BINARY_H

#include <stdint.h>

#include "tinyc_bytes.h"

/* Operands that broadcast along the three outer axes, where a stride of 0 repeats an operand; along
   the innermost axis, `run` elements, both are contiguous. What the numbers mean is said at the
   `run` function; they are proved for all 65,536 pairs of elements. */
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

/* Calls `run`, a function of its own to have all registers, for each run, then applies the fused
   activation. */
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

/* Requantization of x with x / 2 in 30 bits: the high multiply brings `offset` along, rounding half and
   output offset in the units before the shift; what it rounds up it rounds towards plus infinity, which
   for a negative x is put right by 1 less. */
TINYC_INLINE int32_t tinyc_binary_output(int32_t x, int32_t multiplier, int32_t shift, int32_t offset) {
    return tinyc_to_s8((tinyc_smmlar(x, multiplier, offset) + (x >> 31)) >> shift);
}

#endif
