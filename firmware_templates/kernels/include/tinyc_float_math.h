/* Functions of float32 numbers. The C twin of tinyc/quantize/float_math.py: change both or neither.
 *
 * No libm and no double: every operation is one of IEEE binary32, rounded once, in the order written, so
 * that each compiler and each core gives the same bits. A NaN that a function gives is always the same one.
 * How exact the functions are: docs/concepts/numbers.md. */
#ifndef TINYC_FLOAT_MATH_H
#define TINYC_FLOAT_MATH_H

#include <stdint.h>
#include <string.h>

#include "tinyc_float_rounding.h"

TINYC_FLOAT_FUNCTION uint32_t tinyc_float_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

TINYC_FLOAT_FUNCTION float tinyc_float_from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

TINYC_FLOAT_FUNCTION float tinyc_float_nan(void) { return tinyc_float_from_bits(0x7fc00000u); }

TINYC_FLOAT_FUNCTION float tinyc_float_infinity(void) { return tinyc_float_from_bits(0x7f800000u); }

TINYC_FLOAT_FUNCTION float tinyc_float_abs(float x) {
    return tinyc_float_from_bits(tinyc_float_bits(x) & 0x7fffffffu);
}

/* The magnitude of x with the sign of y. */
TINYC_FLOAT_FUNCTION float tinyc_float_copy_sign(float x, float y) {
    return tinyc_float_from_bits((tinyc_float_bits(x) & 0x7fffffffu) | (tinyc_float_bits(y) & 0x80000000u));
}

/* coefficients[0] x^(count - 1) + ... + coefficients[count - 1], by Horner's rule. */
TINYC_FLOAT_FUNCTION float tinyc_float_polynomial(float x, const float *coefficients, int32_t count) {
    float y = coefficients[0];
    for (int32_t i = 1; i < count; i++) {
        y = tinyc_float_product(y, x) + coefficients[i];
    }
    return y;
}

/* x 2^k for x in [2^-7, 2] and k in [-160, 128], where the result may be subnormal, rounded once. */
TINYC_FLOAT_FUNCTION float tinyc_float_scale(float x, int32_t k) {
    if (k < -100) {
        const float above = tinyc_float_from_bits(tinyc_float_bits(x) + ((uint32_t)(k + 64) << 23));
        return tinyc_float_product(above, 5.42101086e-20f);
    }
    return tinyc_float_from_bits(tinyc_float_bits(x) + ((uint32_t)k << 23));
}

/* e^r - 1 for |r| <= 0.4. Source: the polynomial of Cephes `expf`; written out, as all others call it. */
TINYC_FLOAT_FUNCTION float tinyc_float_small_expm1(float r) {
    float p = 1.9875691500e-4f;
    p = tinyc_float_product(p, r) + 1.3981999507e-3f;
    p = tinyc_float_product(p, r) + 8.3334519073e-3f;
    p = tinyc_float_product(p, r) + 4.1665795894e-2f;
    p = tinyc_float_product(p, r) + 1.6666665459e-1f;
    p = tinyc_float_product(p, r) + 5.0000001201e-1f;
    return tinyc_float_product(p, r * r) + r;
}

/* x = *k ln 2 + what is returned, of at most ln 2 / 2; ln 2 in two parts (Cody and Waite 1980). */
TINYC_FLOAT_FUNCTION float tinyc_float_reduce_exp(float x, int32_t *k) {
    const float t = tinyc_float_product(x, 1.44269504f);
    *k = (int32_t)(t + (t < 0.0f ? -0.5f : 0.5f));
    const float n = (float)*k;
    const float high = tinyc_float_product(n, 0.693359375f);
    const float low = tinyc_float_product(n, -2.12194440e-4f);
    return x - high - low;
}

/* e^x; infinity from 88.72284 on, 0 below -104. */
TINYC_FLOAT_FUNCTION float tinyc_float_exp(float x) {
    if (!(x <= 88.72283f)) return x > 0.0f ? tinyc_float_infinity() : tinyc_float_nan();
    if (x < -104.0f) return 0.0f;
    int32_t k;
    const float r = tinyc_float_reduce_exp(x, &k);
    return tinyc_float_scale(tinyc_float_small_expm1(r) + 1.0f, k);
}

/* e^x - 1 for x <= 0. */
TINYC_FLOAT_FUNCTION float tinyc_float_expm1(float x) {
    if (x != x) return tinyc_float_nan();
    if (x < -18.0f) return -1.0f;
    int32_t k;
    const float e = tinyc_float_small_expm1(tinyc_float_reduce_exp(x, &k));
    if (k == 0) return e;
    const float power = tinyc_float_from_bits((uint32_t)(127 + k) << 23);
    return tinyc_float_product(power, e) + (power - 1.0f);
}

/* The natural logarithm; -infinity of 0, NaN of negative numbers. Source: Cephes `logf`. */
TINYC_FLOAT_FUNCTION float tinyc_float_log(float x) {
    static const float coefficients[9] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                          -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                          2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
    if (!(x >= 0.0f)) return tinyc_float_nan();
    if (x == 0.0f) return -tinyc_float_infinity();
    if (x > 3.40282347e+38f) return x;
    const uint32_t subnormal = x < 1.17549435e-38f;
    const uint32_t bits = tinyc_float_bits(subnormal ? x * 8388608.0f : x);
    /* x = 2^k m, m between the roots of 1/2 and of 2. */
    const int32_t k = (int32_t)(bits - 0x3f3504f3u) >> 23;
    const float m = tinyc_float_from_bits(bits - ((uint32_t)k << 23));
    const float n = (float)(subnormal ? k - 23 : k);
    const float z = m - 1.0f;
    const float square = z * z;
    const float low = tinyc_float_product(n, -2.12194440e-4f);
    const float half = tinyc_float_product(square, 0.5f);
    const float high = tinyc_float_product(n, 0.693359375f);
    const float cubic = tinyc_float_product(tinyc_float_polynomial(z, coefficients, 9) * z, square);
    return z + (cubic + low - half) + high;
}

/* Source: Cephes `tanhf`, a polynomial below 0.625, else by e^2x. */
TINYC_FLOAT_FUNCTION float tinyc_float_tanh(float x) {
    static const float coefficients[5] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                                          1.33314422036e-1f, -3.33332819422e-1f};
    if (x != x) return tinyc_float_nan();
    const float a = tinyc_float_abs(x);
    float y;
    if (a < 0.625f) {
        const float square = a * a;
        y = tinyc_float_product(tinyc_float_polynomial(square, coefficients, 5) * square, a) + a;
    } else {
        const float e = tinyc_float_exp(a < 20.0f ? a + a : 40.0f);
        y = 1.0f - 2.0f / (e + 1.0f);
    }
    return tinyc_float_copy_sign(y, x);
}

/* 1 / (1 + e^-x), by e^-|x| so that nothing overflows. */
TINYC_FLOAT_FUNCTION float tinyc_float_logistic(float x) {
    const float e = tinyc_float_exp(-tinyc_float_abs(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* The distribution function of the normal distribution, P(Z <= x).
 *
 * P(Z <= -a) = e^(-a^2/2) M(a), M a polynomial in each of six ranges of a. a^2 is taken in two parts,
 * h^2 with h the upper bits of a, and what is missing, because a rounding of the exponent would be one of
 * the whole result. */
TINYC_FLOAT_FUNCTION float tinyc_float_normal(float x) {
    static const float ends[6] = {0.75f, 1.5f, 2.75f, 4.75f, 8.5f, 14.5f};
    static const float centers[6] = {0.375f, 1.125f, 2.125f, 3.75f, 6.625f, 11.5f};
    static const float coefficients[6][9] = {
        {4.59708681e-4f, -1.44894852e-3f, 4.13237e-3f, -1.13792354e-2f, 2.90648174e-2f, -6.78189546e-2f,
         1.41691476e-1f, -2.56590605e-1f, 3.79604429e-1f},
        {6.62655002e-5f, -2.36777152e-4f, 7.80941395e-4f, -2.49614683e-3f, 7.49488501e-3f, -2.09154766e-2f,
         5.35094328e-2f, -1.22944467e-1f, 2.45331392e-1f},
        {7.19963964e-6f, -3.04860023e-5f, 1.17073585e-4f, -4.5182457e-4f, 1.66382489e-3f, -5.79691213e-3f,
         1.89736336e-2f, -5.77095672e-2f, 1.60580099e-1f},
        {3.73959097e-7f, -2.03104582e-6f, 9.83939753e-6f, -5.00168426e-5f, 2.47121672e-4f, -1.17737742e-3f,
         5.40352194e-3f, -2.37952415e-2f, 1.00039206e-1f},
        {7.86452414e-9f, -6.1591912e-8f, 4.11133215e-7f, -3.09659936e-6f, 2.31332597e-5f, -1.68850442e-4f,
         1.2110254e-3f, -8.52953084e-3f, 5.89302257e-2f},
        {9.44580664e-11f, -1.15956478e-9f, 1.22059758e-8f, -1.47331875e-7f, 1.78008463e-6f, -2.12131908e-5f,
         2.51041172e-4f, -2.95060477e-3f, 3.44340578e-2f},
    };
    if (x != x) return tinyc_float_nan();
    const float a = tinyc_float_abs(x);
    float tail = 0.0f;
    if (a < 14.5f) {
        int32_t piece = 0;
        while (a >= ends[piece]) piece++;
        const float m = tinyc_float_polynomial(a - centers[piece], coefficients[piece], 9);
        const float h = tinyc_float_from_bits(tinyc_float_bits(a) & 0xfffff000u);
        const float missing = tinyc_float_product((h - a) * (h + a), 0.5f);
        int32_t k;
        const float r = tinyc_float_reduce_exp(tinyc_float_product(h * h, -0.5f), &k);
        tail = tinyc_float_scale(tinyc_float_product(m, tinyc_float_small_expm1(r + missing)) + m, k);
    }
    return x < 0.0f ? tail : 1.0f - tail;
}

/* The nearest multiple of pi / 2 below or above x, as its count modulo 4, and *r, what is left.
 *
 * For any finite x: 64 bits of x times 2 / pi, whose upper two are the quadrant (Payne and Hanek 1983). */
TINYC_FLOAT_FUNCTION uint32_t tinyc_float_reduce_angle(float x, float *r) {
    /* 2 / pi after 64 zeros. */
    static const uint32_t inverse[8] = {0u,          0u,          0xa2f9836eu, 0x4e441529u,
                                        0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u};
    const uint32_t bits = tinyc_float_bits(x) & 0x7fffffffu;
    *r = x;
    if (bits <= 0x3f490fdau) return 0u;
    const uint32_t start = (bits >> 23) - 96u;
    const uint32_t *words = inverse + (start >> 5);
    const uint32_t left = start & 31u;
    uint32_t window[3];
    for (int32_t i = 0; i < 3; i++) {
        window[i] = left == 0u ? words[i] : words[i] << left | words[i + 1] >> (32u - left);
    }
    const uint64_t m = (bits << 8 & 0xffffffffu) | 0x80000000u;
    const uint64_t turns = (m * window[0] << 32) + m * window[1] + (m * window[2] >> 32);
    uint32_t quadrant = (uint32_t)((turns + ((uint64_t)1 << 61)) >> 62) & 3u;
    uint64_t rest = turns - ((uint64_t)quadrant << 62);
    uint32_t negative = tinyc_float_bits(x) >> 31;
    if (negative) quadrant = (0u - quadrant) & 3u;
    if (rest >> 63) {
        rest = 0u - rest;
        negative ^= 1u;
    }
    uint32_t exponent = 98u;
    while (!(rest >> 63)) {
        rest <<= 1;
        exponent--;
    }
    /* The upper 32 bits of rest times pi / 2. */
    const uint32_t angle = (uint32_t)((rest >> 32) * 0xc90fdaa2u >> 32);
    const float magnitude = tinyc_float_product((float)angle, tinyc_float_from_bits(exponent << 23));
    *r = negative ? -magnitude : magnitude;
    return quadrant;
}

/* The sine of r, at most pi / 4, and `quadrant` quarter turns. Polynomials of Cephes `sinf` and `cosf`. */
TINYC_FLOAT_FUNCTION float tinyc_float_sine_of(float r, uint32_t quadrant) {
    static const float odd[3] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
    static const float even[3] = {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f};
    const float square = r * r;
    float y;
    if (quadrant & 1u) {
        const float half = tinyc_float_product(square, 0.5f);
        y = tinyc_float_product(tinyc_float_polynomial(square, even, 3) * square, square) - half + 1.0f;
    } else {
        y = tinyc_float_product(tinyc_float_polynomial(square, odd, 3) * square, r) + r;
    }
    return quadrant & 2u ? -y : y;
}

/* The sine of any finite number of radians. */
TINYC_FLOAT_FUNCTION float tinyc_float_sin(float x) {
    if (x - x != 0.0f) return tinyc_float_nan();
    float r;
    const uint32_t quadrant = tinyc_float_reduce_angle(x, &r);
    return tinyc_float_sine_of(r, quadrant);
}

/* The cosine of any finite number of radians. */
TINYC_FLOAT_FUNCTION float tinyc_float_cos(float x) {
    if (x - x != 0.0f) return tinyc_float_nan();
    float r;
    const uint32_t quadrant = tinyc_float_reduce_angle(x, &r);
    return tinyc_float_sine_of(r, quadrant + 1u);
}

/* The square root, correctly rounded: by the FPU, or bit by bit as on paper; NaN of negative numbers. */
TINYC_FLOAT_FUNCTION float tinyc_float_sqrt(float x) {
    if (!(x >= 0.0f)) return tinyc_float_nan();
#if defined(__GNUC__) && defined(__ARM_FP) && (__ARM_FP & 4) && !defined(__aarch64__)
    __asm__("vsqrt.f32 %0, %1" : "=t"(x) : "t"(x));
    return x;
#elif defined(__GNUC__) && defined(__riscv_flen)
    __asm__("fsqrt.s %0, %1" : "=f"(x) : "f"(x));
    return x;
#else
    if (x == 0.0f || x > 3.40282347e+38f) return x;
    int32_t exponent = (int32_t)(tinyc_float_bits(x) >> 23) - 127;
    uint32_t rest = tinyc_float_bits(x) & 0x7fffffu;
    if (exponent > -127) {
        rest |= 0x800000u;
    } else {
        exponent++;
        while (rest < 0x800000u) {
            rest <<= 1;
            exponent--;
        }
    }
    /* An even exponent, and the root of rest 2^25, with one bit more than there is room for. */
    rest <<= 1 + (exponent & 1);
    uint32_t root = 0, twice = 0;
    for (uint32_t bit = 0x1000000u; bit != 0u; bit >>= 1) {
        if (rest >= twice + bit) {
            rest -= twice + bit;
            twice += 2u * bit;
            root += bit;
        }
        rest <<= 1;
    }
    /* Never halfway between two numbers. */
    return tinyc_float_from_bits((root >> 1) + (root & 1u) + ((uint32_t)((exponent >> 1) + 126) << 23));
#endif
}

#endif
