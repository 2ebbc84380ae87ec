/*
 * SipHash-2-4: see siphash.h. For cores of 32 bits: the four values v0..v3 are in halves, a and b for instance al, ah,
 * bl, bh; a rotation by 32 is another order of names, and one by less is two shifted operands.
 */
#include "siphash.h"

#include "lpc_words.h"

#define ADD(x, y)                                                                                            \
    do {                                                                                                     \
        x##l += y##l;                                                                                        \
        x##h += y##h + (x##l < y##l);                                                                        \
    } while (0)
/* x = (x rotated by n) ^ y */
#define MIX(x, n, yl, yh)                                                                                    \
    do {                                                                                                     \
        uint32_t low_ = (yl) ^ x##l << (n), high_ = (yh) ^ x##h << (n);                                      \
        LPC_MADE(low_);                                                                                      \
        LPC_MADE(high_);                                                                                     \
        low_ ^= x##h >> (32u - (n));                                                                         \
        x##h = high_ ^ x##l >> (32u - (n));                                                                  \
        x##l = low_;                                                                                         \
    } while (0)
/* A rotation by 32. */
#define SWAP(x)                                                                                              \
    do {                                                                                                     \
        const uint32_t low_ = x##l;                                                                          \
        x##l = x##h;                                                                                         \
        x##h = low_;                                                                                         \
    } while (0)
#define ROUND                                                                                                \
    do {                                                                                                     \
        ADD(a, b);                                                                                           \
        MIX(b, 13u, al, ah);                                                                                 \
        SWAP(a);                                                                                             \
        ADD(c, d);                                                                                           \
        MIX(d, 16u, cl, ch);                                                                                 \
        ADD(a, d);                                                                                           \
        MIX(d, 21u, al, ah);                                                                                 \
        ADD(c, b);                                                                                           \
        MIX(b, 17u, cl, ch);                                                                                 \
        SWAP(c);                                                                                             \
    } while (0)

/* Words that lie together. */
struct part {
    const uint8_t *bytes, *end;
};

#define PARTS 3u

/* Of all words; the state stays in registers. */
static uint64_t hash_of(const uint8_t key[16], const struct part parts[PARTS]) {
    /* "somepseudorandomlygeneratedbytes" */
    uint32_t al = lpc_word_at(key) ^ 0x70736575u, ah = lpc_word_at(key + 4) ^ 0x736f6d65u;
    uint32_t bl = lpc_word_at(key + 8) ^ 0x6e646f6du, bh = lpc_word_at(key + 12) ^ 0x646f7261u;
    uint32_t cl = lpc_word_at(key) ^ 0x6e657261u, ch = lpc_word_at(key + 4) ^ 0x6c796765u;
    uint32_t dl = lpc_word_at(key + 8) ^ 0x79746573u, dh = lpc_word_at(key + 12) ^ 0x74656462u;
    for (const struct part *part = parts; part != parts + PARTS; part++) {
        for (const uint8_t *bytes = part->bytes; bytes != part->end; bytes += 8) {
            dl ^= lpc_word_at(bytes);
            dh ^= lpc_word_at(bytes + 4);
            LPC_MADE(dl);
            LPC_MADE(dh);
            ROUND;
            ROUND;
            LPC_MADE(al);
            LPC_MADE(ah);
            al ^= lpc_word_at(bytes);
            ah ^= lpc_word_at(bytes + 4);
        }
    }
    cl ^= 0xFFu;
    for (uint32_t i = 0u; i < 4u; i++) {
        ROUND;
    }
    return (uint64_t)(ah ^ bh ^ ch ^ dh) << 32 | (al ^ bl ^ cl ^ dl);
}

uint64_t siphash(const uint8_t key[16], uint8_t *start, uint32_t start_length, const uint8_t *rest,
                 uint32_t rest_length) {
    const uint32_t missing = (8u - start_length % 8u) % 8u, joins = missing < rest_length ? missing : rest_length;
    const uint32_t words = (rest_length - joins) / 8u * 8u;
    uint8_t *const behind = start + start_length + joins, *const last_of_start = behind - (start_length + joins) % 8u;
    uint64_t last = (uint64_t)(start_length + rest_length) << 56;
    uint8_t last_bytes[8];

    if (rest_length >= 8u) {
        const uint32_t left = (rest_length - joins) % 8u;
        lpc_put_double(start + start_length, lpc_double_at(rest));
        last |= left == 0u ? 0u : lpc_double_at(rest + rest_length - 8) >> (64u - 8u * left);
    } else {
        for (uint32_t i = 0u; i < rest_length; i++) {
            start[start_length + i] = rest[i];
        }
        /* The last word has what is left of both. */
        const uint8_t *const end = start + start_length + rest_length;
        for (const uint8_t *at = last_of_start; at != end; at++) {
            last |= (uint64_t)*at << (8u * (uint32_t)(at - last_of_start));
        }
    }
    lpc_put_double(last_bytes, last);
    const struct part parts[PARTS] = {
        {start, last_of_start},
        {rest + joins, rest + joins + words},
        {last_bytes, last_bytes + 8},
    };
    return hash_of(key, parts);
}
