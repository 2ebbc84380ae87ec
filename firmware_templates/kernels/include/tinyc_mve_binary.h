/* ADD, SUB and MUL, four elements to the vector; see tinyc_binary.h. */
#ifndef TINYC_MVE_BINARY_H
#define TINYC_MVE_BINARY_H

#include "tinyc_binary.h"
#include "tinyc_mve.h"

/* Calls `run` for each run of elements; it applies the fused activation as well. */
TINYC_INLINE void tinyc_mve_binary_layer(const struct tinyc_binary *layer, const int8_t *left,
                                         const int8_t *right, int8_t *output, tinyc_binary_run *run) {
    const int8_t *const first = layer->swapped ? right : left;
    const int8_t *const second = layer->swapped ? left : right;
    const int32_t *const steps = layer->first_strides, *const others = layer->second_strides;
    for (int32_t i = 0; i < layer->extents[0]; i++) {
        for (int32_t j = 0; j < layer->extents[1]; j++) {
            for (int32_t k = 0; k < layer->extents[2]; k++, output += layer->run) {
                run(layer, first + i * steps[0] + j * steps[1] + k * steps[2],
                    second + i * others[0] + j * others[1] + k * others[2], output);
            }
        }
    }
}

#endif
