/* Reciprocal square roots. The C twin of tinyc/quantize/roots.py: change both or neither. */
#ifndef TINYC_ROOTS_H
#define TINYC_ROOTS_H

#include <stdint.h>

#include "tinyc_fixed_point.h"

/* 2^46 / sqrt(f) in the middle of each 1/64 of the range of f from 2^30 on. */
static const uint32_t tinyc_root_seeds[48] = {
    2114695713u, 2053387115u, 1997119227u, 1945237133u, 1897199172u, 1852552937u, 1810917218u, 1771968208u,
    1735428857u, 1701060526u, 1668656406u, 1638036256u, 1609042172u, 1581535151u, 1555392273u, 1530504391u,
    1506774204u, 1484114654u, 1462447584u, 1441702596u, 1421816090u, 1402730445u, 1384393311u, 1366757007u,
    1349778000u, 1333416450u, 1317635818u, 1302402522u, 1287685637u, 1273456629u, 1259689126u, 1246358707u,
    1233442724u, 1220920139u, 1208771378u, 1196978204u, 1185523604u, 1174391680u, 1163567563u, 1153037323u,
    1142787899u, 1132807028u, 1123083182u, 1113605518u, 1104363818u, 1095348453u, 1086550331u, 1077960865u,
};

struct tinyc_root {
    uint32_t normalised, root;
    int32_t half;
};

/* value^(-1/2) = root * 2^(-30 - half), root in [2^30, 2^31); `normalised` is value * 4^(16 - half).
 * value in [1, 2^62). */
TINYC_INLINE struct tinyc_root tinyc_inverse_root(uint64_t value) {
    const uint32_t upper = (uint32_t)(value >> 32), lower = (uint32_t)value;
    const int32_t bits = upper != 0 ? 64 - __builtin_clz(upper) : 32 - __builtin_clz(lower);
    const int32_t even = (bits + 1) & ~1;
    const uint32_t f = even > 32 ? (uint32_t)(value >> (even - 32)) : lower << (32 - even);
    uint32_t root = tinyc_root_seeds[(f >> 26) - 16];
    for (int32_t step = 0; step < 2; step++) {
        const uint32_t square = (uint32_t)(((uint64_t)root * root) >> 32);
        const uint32_t excess = 0xc0000000u - (uint32_t)(((uint64_t)square * f) >> 30);
        const uint64_t next = ((uint64_t)root * excess) >> 31;
        root = next > 0x7fffffffu ? 0x7fffffffu : (uint32_t)next;
    }
    const struct tinyc_root result = {f, root, even / 2};
    return result;
}

/* The square root of a value in [1, 2^62). */
TINYC_INLINE uint32_t tinyc_square_root(uint64_t value) {
    const struct tinyc_root found = tinyc_inverse_root(value);
    return (uint32_t)(((uint64_t)found.normalised * found.root) >> (62 - found.half));
}

#endif
