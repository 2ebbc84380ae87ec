#ifndef TINYC_INTERPOLATE_H
#define TINYC_INTERPOLATE_H

#include <stdint.h>

/* A function of an int16 value from 513 samples, 128 apart. */
TINYC_INLINE int32_t tinyc_interpolate(int32_t x, const int16_t *table) {
    const int32_t index = 256 + (x >> 7);
    const int32_t slope = (int32_t)table[index + 1] - table[index];
    return table[index] + ((slope * (x & 127) + 64) >> 7);
}

/* LOGISTIC and TANH of int16: x is brought to steps of 1 / (3 * 4096), then interpolated between
   samples of the logistic function, 24 to the unit. */
struct tinyc_sigmoid {
    int32_t count;
    int32_t multiplier, shift; /* the shift goes to the right */
    const uint16_t *table;     /* 256 entries, fractions of 2^16 */
};

TINYC_INLINE int32_t tinyc_sigmoid_input(const struct tinyc_sigmoid *layer, int32_t x) {
    const int32_t half = layer->shift > 0 ? (int32_t)1 << (layer->shift - 1) : 0;
    return (x * layer->multiplier + half) >> layer->shift;
}

#endif
