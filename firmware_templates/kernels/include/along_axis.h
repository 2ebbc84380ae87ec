#ifndef TINYC_ALONG_AXIS_H
#define TINYC_ALONG_AXIS_H

#include <stdint.h>

/* `outer` blocks of [depth][inner] elements; the work is done along depth. */
struct tinyc_arg {
    int32_t outer, depth, inner;
};

struct tinyc_cumsum {
    int32_t outer, depth, inner;
    int32_t exclusive, reverse;
    int32_t input_offset;
    int32_t multiplier, shift;
    int32_t output_offset;
};

#endif
