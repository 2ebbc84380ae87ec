#ifndef TINYC_PAIRS_H
#define TINYC_PAIRS_H

#include <stdint.h>

/* Two operands that broadcast: a stride of 0 repeats an operand along an axis. */
#define TINYC_PAIR_AXES 6
#define TINYC_PAIR_FIELDS                  \
    int32_t extents[TINYC_PAIR_AXES];      \
    int32_t left_strides[TINYC_PAIR_AXES]; \
    int32_t right_strides[TINYC_PAIR_AXES]; \
    const void *left, *right; /* constants; null for an activation */

/* All loops but the innermost, and the position of an operand that they have reached. */
#define TINYC_LINES(extents)                                          \
    for (int32_t i_ = 0; i_ < (extents)[0]; i_++)                     \
        for (int32_t j_ = 0; j_ < (extents)[1]; j_++)                 \
            for (int32_t k_ = 0; k_ < (extents)[2]; k_++)             \
                for (int32_t l_ = 0; l_ < (extents)[3]; l_++)         \
                    for (int32_t m_ = 0; m_ < (extents)[4]; m_++)
#define TINYC_LINE(strides) \
    (i_ * (strides)[0] + j_ * (strides)[1] + k_ * (strides)[2] + l_ * (strides)[3] + m_ * (strides)[4])

/* Runs what follows for every element of the result, in order; a and b are the operands' positions. */
#define TINYC_EACH_PAIR(layer, a, b)                                                             \
    TINYC_LINES((layer)->extents)                                                                \
    for (int32_t n_ = (layer)->extents[5], a = TINYC_LINE((layer)->left_strides),                \
                 b = TINYC_LINE((layer)->right_strides);                                         \
         n_ > 0; n_--, a += (layer)->left_strides[5], b += (layer)->right_strides[5])

/* Numbers are compared as they are stored. */
struct tinyc_pairs {
    TINYC_PAIR_FIELDS
};

TINYC_INLINE int32_t tinyc_maximum(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a > b ? a : b;
}

TINYC_INLINE int32_t tinyc_minimum(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a < b ? a : b;
}

TINYC_INLINE int32_t tinyc_logical_and(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a & b;
}

TINYC_INLINE int32_t tinyc_logical_or(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a | b;
}

TINYC_INLINE int32_t tinyc_equal(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a == b;
}

TINYC_INLINE int32_t tinyc_not_equal(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a != b;
}

TINYC_INLINE int32_t tinyc_greater(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a > b;
}

TINYC_INLINE int32_t tinyc_greater_equal(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a >= b;
}

TINYC_INLINE int32_t tinyc_less(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a < b;
}

TINYC_INLINE int32_t tinyc_less_equal(const struct tinyc_pairs *layer, int32_t a, int32_t b) {
    (void)layer;
    return a <= b;
}

#endif
