#ifndef TINYC_FLOORED_F32_H
#define TINYC_FLOORED_F32_H

#include <stdint.h>

#include "pairs.h"
#include "tinyc_float.h"
#include "tinyc_float_math.h"

/* |x| = m 2^(e - 150) with 24 bits in m, for finite numbers but 0. */
struct tinyc_float_parts {
    uint32_t m;
    int32_t e;
};

TINYC_INLINE struct tinyc_float_parts tinyc_float_parts(float x) {
    const uint32_t bits = tinyc_float_bits(x) & 0x7fffffffu;
    struct tinyc_float_parts parts = {bits & 0x7fffffu, (int32_t)(bits >> 23)};
    if (parts.e > 0) {
        parts.m |= 0x800000u;
    } else {
        parts.e = 1;
    }
    while (parts.m < 0x800000u) {
        parts.m <<= 1;
        parts.e--;
    }
    return parts;
}

/* floor(a / b) of a quotient in double, by integers: it is rounded to 53 bits, down, and to 24 bits. */
TINYC_INLINE float tinyc_floor_div_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    const float quotient = a / b;
    if (a - a != 0.0f || b - b != 0.0f || a == 0.0f || b == 0.0f) {
        return quotient;
    }
    const struct tinyc_float_parts above = tinyc_float_parts(a), below = tinyc_float_parts(b);
    /* The quotient lies from 2^power on. */
    const int32_t power = above.e - below.e - (above.m < below.m);
    if (power >= 48) {
        /* The fraction is too small to decide how 24 bits are rounded. */
        return quotient;
    }
    const uint32_t negative = (tinyc_float_bits(a) ^ tinyc_float_bits(b)) >> 31;
    if (power < 0) {
        return negative ? -1.0f : 0.0f;
    }
    uint64_t whole = 0;
    uint32_t rest = above.m;
    for (int32_t bits = above.e - below.e;; bits--) {
        whole <<= 1;
        if (rest >= below.m) {
            rest -= below.m;
            whole++;
        }
        if (bits == 0) {
            break;
        }
        rest <<= 1;
    }
    /* The double is a whole number where the rest of the division is so near to one. */
    const uint32_t near = power < 29 ? 0u : below.m >> (53 - power);
    if (negative ? rest > near : below.m - rest <= near) {
        whole++;
    }
    const float y = tinyc_float_product((float)(int32_t)(whole >> 24), 16777216.0f) +
                    (float)(int32_t)(whole & 0xffffffu);
    return negative ? -y : y;
}

/* The rest of a / b, which is exact, and b more where the signs differ. */
TINYC_INLINE float tinyc_floor_mod_f32(const struct tinyc_pairs *layer, float a, float b) {
    (void)layer;
    if (a - a != 0.0f || b != b || b == 0.0f) {
        return tinyc_float_nan();
    }
    float rest = a;
    if (tinyc_float_abs(a) >= tinyc_float_abs(b)) {
        struct tinyc_float_parts left = tinyc_float_parts(a);
        const struct tinyc_float_parts right = tinyc_float_parts(b);
        for (;; left.e--) {
            left.m -= left.m >= right.m ? right.m : 0u;
            if (left.e == right.e) {
                break;
            }
            left.m <<= 1;
        }
        for (; left.m < 0x800000u && left.e > 1; left.e--) {
            left.m <<= 1;
        }
        for (; left.e < 1; left.e++) {
            left.m >>= 1;
        }
        rest = tinyc_float_from_bits(((uint32_t)(left.e - 1) << 23) + left.m);
        rest = tinyc_float_copy_sign(rest, a);
    }
    return rest != 0.0f && (b < 0.0f) != (rest < 0.0f) ? rest + b : rest;
}

#endif
