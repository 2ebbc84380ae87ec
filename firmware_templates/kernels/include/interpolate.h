#ifndef TINYC_INTERPOLATE_H
#define TINYC_INTERPOLATE_H

#include <stdint.h>

/* A function of an int16 value from 513 samples, 128 apart. Slopes wrap around at 16 bits. */
TINYC_INLINE int32_t tinyc_interpolate(int32_t x, const int16_t *table) {
    const int32_t index = 256 + (x >> 7);
    const int32_t slope = (int16_t)(table[index + 1] - table[index]);
    return table[index] + ((slope * (x & 127) + 64) >> 7);
}

struct tinyc_lookup_s16 {
    int32_t count;
    const int16_t *table; /* 513 samples */
};

/* LOGISTIC and TANH of int16: x is brought to steps of 1 / (3 * 4096), then interpolated between
   samples of the logistic function, 24 to the unit. */
struct tinyc_sigmoid {
    int32_t count;
    int32_t multiplier, shift; /* the shift goes to the right */
    const uint16_t *table;     /* 256 entries, fractions of 2^16 */
};

TINYC_INLINE int32_t tinyc_sigmoid_input(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t half = shift > 0 ? (int32_t)1 << (shift - 1) : 0;
    return (x * multiplier + half) >> shift;
}

/* The logistic function of such an x as a fraction of 2^15. */
TINYC_INLINE int32_t tinyc_logistic(int32_t x, const uint16_t *table) {
    const int32_t magnitude = x < 0 ? -x : x;
    const int32_t index = magnitude >> 9;
    int32_t y = (int32_t)0x7FFF << 10;
    if (index < 255) {
        const int32_t sample = table[index];
        y = sample * 512 + (magnitude & 511) * (table[index + 1] - sample);
    }
    y = x >= 0 ? y + 512 : ((int32_t)1 << 25) - y + 511;
    return y >> 10;
}

/* tanh(x) = 2 logistic(2 x) - 1 as a fraction of 2^15. */
TINYC_INLINE int32_t tinyc_tanh(int32_t x, const uint16_t *table) {
    const int32_t magnitude = x < 0 ? -x : x;
    const int32_t index = magnitude >> 8;
    int32_t y = (int32_t)0xFFFF << 8;
    if (index < 255) {
        const int32_t sample = table[index];
        y = sample * 256 + (magnitude & 255) * (table[index + 1] - sample);
    }
    y = x >= 0 ? y - ((int32_t)1 << 23) + 128 : ((int32_t)1 << 23) - y + 127;
    return y >> 8;
}

#endif
