#ifndef TINYC_QUANTIZE_H
#define TINYC_QUANTIZE_H

#include <stdint.h>

/* quantized = clamp(round(real / scale) + zero_point), real = scale * (quantized - zero_point) */
struct tinyc_quantize {
    int32_t count;
    float scale;
    int32_t zero_point;
};

/* Ties round away from zero, infinities clamp, NaN gives `low`. The range is tested before the
   conversion to an integer, which is undefined outside of it. */
TINYC_INLINE int32_t tinyc_quantize_value(float real, float scale, int32_t zero_point, int32_t low,
                                          int32_t high) {
    const float ratio = real / scale;
    if (!(ratio > (float)(low - zero_point))) {
        return low;
    }
    if (ratio >= (float)(high - zero_point)) {
        return high;
    }
    const int32_t whole = (int32_t)ratio;
    const float rest = ratio - (float)whole;
    return whole + zero_point + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

#endif
