#ifndef TINYC_INTEGERS_H
#define TINYC_INTEGERS_H

#include <stdint.h>

#include "pairs.h"

/* int32 without a scale: y wraps around, then it is clamped. */
struct tinyc_integers {
    TINYC_PAIR_FIELDS
    int32_t low, high;
};

TINYC_INLINE int32_t tinyc_add_s32(const struct tinyc_integers *layer, int32_t a, int32_t b) {
    return tinyc_clamp((int32_t)((uint32_t)a + (uint32_t)b), layer->low, layer->high);
}

TINYC_INLINE int32_t tinyc_sub_s32(const struct tinyc_integers *layer, int32_t a, int32_t b) {
    return tinyc_clamp((int32_t)((uint32_t)a - (uint32_t)b), layer->low, layer->high);
}

TINYC_INLINE int32_t tinyc_mul_s32(const struct tinyc_integers *layer, int32_t a, int32_t b) {
    return tinyc_clamp((int32_t)((uint32_t)a * (uint32_t)b), layer->low, layer->high);
}

TINYC_INLINE int32_t tinyc_squared_difference_s32(const struct tinyc_integers *layer, int32_t a, int32_t b) {
    const uint32_t difference = (uint32_t)a - (uint32_t)b;
    return tinyc_clamp((int32_t)(difference * difference), layer->low, layer->high);
}

/* Towards zero; 0 for a division by zero, INT32_MAX for the one quotient above it. */
TINYC_INLINE int32_t tinyc_div_s32(const struct tinyc_integers *layer, int32_t a, int32_t b) {
    const int32_t most = b == -1 && a < -INT32_MAX ? INT32_MAX : 0;
    const int32_t quotient = b == 0 || most > 0 ? most : a / b;
    return tinyc_clamp(quotient, layer->low, layer->high);
}

/* Rounded down; what has no answer as above. */
TINYC_INLINE int32_t tinyc_floor_div_s32(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    if (b == 0 || (b == -1 && a < -INT32_MAX)) {
        return b == 0 ? 0 : INT32_MAX;
    }
    const int32_t quotient = a / b;
    return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

/* The rest of that division has the sign of b. */
TINYC_INLINE int32_t tinyc_floor_mod_s32(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    if (b == 0 || b == -1) {
        return 0;
    }
    const int32_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

#endif
