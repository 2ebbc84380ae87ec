/* float32: every operation rounds at once, to nearest, ties to even, whatever the flags of the build.
 *
 * Compilers may fuse a product and a sum into one operation that rounds once. Clang is told not to by a pragma,
 * which GCC does not know and Clang's -ffp-contract=fast overrules; so each product that a sum takes goes
 * through tinyc_float_product, in which compilers for cores with fused operations cannot see it. */
#ifndef TINYC_FLOAT_ROUNDING_H
#define TINYC_FLOAT_ROUNDING_H

#if defined(__FAST_MATH__)
#error "float32 needs IEEE arithmetic: compile without -ffast-math"
#endif

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* The registers of a core that fuses. */
#if defined(__GNUC__) && defined(__aarch64__)
#define TINYC_FUSING "w"
#elif defined(__GNUC__) && defined(__ARM_FEATURE_FMA)
#define TINYC_FUSING "t"
#elif defined(__GNUC__) && (defined(__riscv_flen) || (defined(__XTENSA__) && defined(__FP_FAST_FMAF)))
#define TINYC_FUSING "f"
#elif defined(__GNUC__) && defined(__FMA__)
#define TINYC_FUSING "x"
#endif

#if defined(__GNUC__)
#define TINYC_FLOAT_FUNCTION static inline __attribute__((unused))
#else
#define TINYC_FLOAT_FUNCTION static inline
#endif

/* a * b, rounded. */
TINYC_FLOAT_FUNCTION float tinyc_float_product(float a, float b) {
    float product = a * b;
#if defined(TINYC_FUSING)
    __asm__("" : "+" TINYC_FUSING(product));
#endif
    return product;
}

#endif
