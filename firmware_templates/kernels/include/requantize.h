#ifndef TINYC_REQUANTIZE_H
#define TINYC_REQUANTIZE_H

#include <stdint.h>

/* y = clamp(scale(x + input_offset) + output_offset): from one quantization to another */
struct tinyc_requantize_layer {
    int32_t count;
    int32_t input_offset, output_offset;
    int32_t multiplier, shift;
};

#endif
