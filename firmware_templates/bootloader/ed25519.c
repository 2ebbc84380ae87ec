/*
 * Numbers are 8 words, the lowest first, unsigned throughout. Those of the field, modulo p = 2^255 - 19, may
 * be anything below 2^256 between operations. No branch and no address depends on the value of a number.
 *
 * Points are on -x^2 + y^2 = 1 + d x^2 y^2, in extended coordinates: x = X/Z, y = Y/Z, x y = T/Z (RFC 8032,
 * 5.1.4). Its formulas hold for every pair of points, so that none is an exception.
 */
#include "ed25519.h"

#include "sha512.h"

#define WORDS 8u
#define TOP_BITS 0x7fffffffu /* of the highest word, those below 2^255 */

struct number {
    uint32_t words[WORDS];
};

struct point {
    struct number x, y, z, t;
};

/* A point to be added, as its factors in the sum: Y + X, Y - X, 2 Z and 2 d T. */
enum { SUM, DIFFERENCE, TWO_Z, TWO_D_T, PARTS };

struct addend {
    struct number parts[PARTS];
};

/* RFC 8032, 5.1: p, the order L of the base point, d = -121665/121666, and 2^((p-1)/4), a root of -1. */
static const struct number prime = {{
    0xffffffedu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x7fffffffu,
}};
static const struct number order = {{
    0x5cf5d3edu, 0x5812631au, 0xa2f79cd6u, 0x14def9deu, 0x00000000u, 0x00000000u, 0x00000000u, 0x10000000u,
}};
static const struct number curve_d = {{
    0x135978a3u, 0x75eb4dcau, 0x4141d8abu, 0x00700a4du, 0x7779e898u, 0x8cc74079u, 0x2b6ffe73u, 0x52036ceeu,
}};
static const struct number root_of_minus_1 = {{
    0x4a0ea0b0u, 0xc4ee1b27u, 0xad2fe478u, 0x2f431806u, 0x3dfbd7a7u, 0x2b4d0099u, 0x4fc1df0bu, 0x2b832480u,
}};

/* p - 37, for differences. */
static const struct number minus_37 = {{
    0xffffffc8u, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x7fffffffu,
}};

/* RFC 8032, 5.1: the base point, y = 4/5 and the even x that belongs to it. */
static const struct number base_x = {{
    0x8f25d51au, 0xc9562d60u, 0x9525a7b2u, 0x692cc760u, 0xfdd6dc5cu, 0xc0a4e231u, 0xcd6e53feu, 0x216936d3u,
}};
static const struct number base_y = {{
    0x66666658u, 0x66666666u, 0x66666666u, 0x66666666u, 0x66666666u, 0x66666666u, 0x66666666u, 0x66666666u,
}};

static const struct number zero = {{0u}}, one = {{1u}};

/* Numbers of 256 bits. Results may lie over what they are made of. */

/* a - b modulo 2^256; returns what it borrowed, 0 or 1. */
static uint32_t difference(struct number *out, const struct number *a, const struct number *b) {
    uint32_t borrow = 0u;
    for (uint32_t i = 0u; i < WORDS; i++) {
        const uint64_t word = (uint64_t)a->words[i] - b->words[i] - borrow;
        out->words[i] = (uint32_t)word;
        borrow = (uint32_t)(word >> 32) & 1u;
    }
    return borrow;
}

/* 1 if all words are 0, else 0. */
static uint32_t is_zero(const struct number *a) {
    uint32_t all = 0u;
    for (uint32_t i = 0u; i < WORDS; i++) {
        all |= a->words[i];
    }
    return ((all | (0u - all)) >> 31) ^ 1u; /* the highest bit is in one of them, but for 0 */
}

/* out = in where `choice` is 1; nothing where it is 0. */
static void move_if(struct number *out, const struct number *in, uint32_t choice) {
    for (uint32_t i = 0u; i < WORDS; i++) {
        out->words[i] ^= (out->words[i] ^ in->words[i]) & (0u - choice);
    }
}

/* Takes `modulus` off once, where it fits. */
static void reduce_once(struct number *a, const struct number *modulus) {
    struct number less;
    const uint32_t borrow = difference(&less, a, modulus);
    move_if(a, &less, borrow ^ 1u);
}

static void load(struct number *out, const uint8_t bytes[32]) {
    for (uint32_t i = 0u; i < WORDS; i++, bytes += 4) {
        const uint32_t low = bytes[0] | (uint32_t)bytes[1] << 8;
        out->words[i] = low | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    }
}

static uint32_t bit(const struct number *a, uint32_t at) {
    return a->words[at / 32u] >> (at % 32u) & 1u;
}

/*
 * The field. The highest word of a result comes first: its bits from 255 on are worth 19 of the lowest word's
 * units each, as 2^255 = 19 (mod p). So one pass is enough, and its carry finds room where those bits were.
 */
static void add(struct number *out, const struct number *a, const struct number *b) {
    const uint64_t top = (uint64_t)a->words[WORDS - 1u] + b->words[WORDS - 1u];
    uint64_t word = (top >> 31) * 19u << 32;
    for (uint32_t i = 0u; i < WORDS - 1u; i++) {
        word = (word >> 32) + a->words[i] + b->words[i];
        out->words[i] = (uint32_t)word;
    }
    out->words[WORDS - 1u] = ((uint32_t)top & TOP_BITS) + (uint32_t)(word >> 32);
}

/* The complement of b is 2^256 - 1 - b, which is 37 - b: a - b = a + ~b + (p - 37). */
static void subtract(struct number *out, const struct number *a, const struct number *b) {
    const uint64_t top = (uint64_t)a->words[WORDS - 1u] + ~b->words[WORDS - 1u] + minus_37.words[WORDS - 1u];
    uint64_t word = (top >> 31) * 19u << 32;
    for (uint32_t i = 0u; i < WORDS - 1u; i++) {
        word = (word >> 32) + a->words[i] + ~b->words[i] + minus_37.words[i];
        out->words[i] = (uint32_t)word;
    }
    out->words[WORDS - 1u] = ((uint32_t)top & TOP_BITS) + (uint32_t)(word >> 32);
}

/* sum + carry + a b, which is below 2^64: the low word is the new sum, the high word the next carry. */
#define MULTIPLY_ADD(sum, a, b)                                                                              \
    do {                                                                                                     \
        product = (uint64_t)(sum) + (uint32_t)(product >> 32);                                               \
        product += (uint64_t)(a) * (b);                                                                      \
        (sum) = (uint32_t)product;                                                                           \
    } while (0)

static void multiply(struct number *out, const struct number *a, const struct number *b) {
    uint32_t wide[2u * WORDS];
    uint64_t product = 0u;
    for (uint32_t i = 0u; i < WORDS; i++) {
        product = (product >> 32) + (uint64_t)a->words[0] * b->words[i];
        wide[i] = (uint32_t)product;
    }
    wide[WORDS] = (uint32_t)(product >> 32);
    for (uint32_t i = 1u; i < WORDS; i++) {
        uint32_t *const row = wide + i;
        const uint32_t factor = a->words[i];
        product = 0u;
        MULTIPLY_ADD(row[0], factor, b->words[0]);
        MULTIPLY_ADD(row[1], factor, b->words[1]);
        MULTIPLY_ADD(row[2], factor, b->words[2]);
        MULTIPLY_ADD(row[3], factor, b->words[3]);
        MULTIPLY_ADD(row[4], factor, b->words[4]);
        MULTIPLY_ADD(row[5], factor, b->words[5]);
        MULTIPLY_ADD(row[6], factor, b->words[6]);
        MULTIPLY_ADD(row[7], factor, b->words[7]);
        row[WORDS] = (uint32_t)(product >> 32);
    }
    const uint64_t top = (uint64_t)wide[2u * WORDS - 1u] * 38u + wide[WORDS - 1u];
    product = (top >> 31) * 19u << 32;
    for (uint32_t i = 0u; i < WORDS - 1u; i++) {
        MULTIPLY_ADD(wide[i], 38u, wide[i + WORDS]);
        out->words[i] = wide[i];
    }
    out->words[WORDS - 1u] = ((uint32_t)top & TOP_BITS) + (uint32_t)(product >> 32);
}

/* The only representation below p. Any number here is below 3 p. */
static void canonical(struct number *a) {
    reduce_once(a, &prime);
    reduce_once(a, &prime);
}

static uint32_t is_equal(const struct number *a, const struct number *b) {
    struct number rest;
    subtract(&rest, a, b);
    canonical(&rest);
    return is_zero(&rest);
}

/*
 * a^(2^252 - 3). From n ones in the exponent to 2 n or 2 n + 1, along the bits of 250; then two squares and
 * a last factor: 4 (2^250 - 1) + 1.
 */
static void power(struct number *out, const struct number *a) {
    struct number ones = *a, shifted;
    uint32_t count = 1u;
    for (uint32_t step = 7u; step-- > 0u;) {
        shifted = ones;
        for (uint32_t i = 0u; i < count; i++) {
            multiply(&shifted, &shifted, &shifted);
        }
        multiply(&ones, &ones, &shifted);
        count *= 2u;
        if ((250u >> step & 1u) != 0u) {
            multiply(&ones, &ones, &ones);
            multiply(&ones, &ones, a);
            count++;
        }
    }
    multiply(&ones, &ones, &ones);
    multiply(&ones, &ones, &ones);
    multiply(out, &ones, a);
}

/* 1/a = a^(p - 2) = (a^(2^252 - 3))^8 a^3. */
static void invert(struct number *out, const struct number *a) {
    struct number inverse;
    power(&inverse, a);
    for (uint32_t i = 0u; i < 6u; i++) {
        multiply(&inverse, &inverse, i < 3u ? &inverse : a);
    }
    *out = inverse;
}

static void finish(struct point *out, const struct number *e, const struct number *f, const struct number *g,
                   const struct number *h) {
    multiply(&out->x, e, f);
    multiply(&out->y, g, h);
    multiply(&out->t, e, h);
    multiply(&out->z, f, g);
}

/* RFC 8032, 5.1.4, with the names there. */
static void double_point(struct point *p) {
    struct number e, f, g, h;
    multiply(&f, &p->x, &p->x); /* A */
    multiply(&g, &p->y, &p->y); /* B */
    add(&h, &f, &g);
    add(&e, &p->x, &p->y);
    multiply(&e, &e, &e);
    subtract(&e, &h, &e);
    subtract(&g, &f, &g);
    multiply(&f, &p->z, &p->z);
    add(&f, &f, &f); /* C */
    add(&f, &f, &g);
    finish(p, &e, &f, &g, &h);
}

static void add_point(struct point *p, const struct addend *other) {
    struct number c, e, f, g, h;
    subtract(&e, &p->y, &p->x);
    multiply(&e, &e, &other->parts[DIFFERENCE]); /* A */
    add(&h, &p->y, &p->x);
    multiply(&h, &h, &other->parts[SUM]); /* B */
    multiply(&c, &p->t, &other->parts[TWO_D_T]);
    multiply(&g, &p->z, &other->parts[TWO_Z]); /* D */
    subtract(&f, &g, &c);
    add(&g, &g, &c);
    c = e;
    subtract(&e, &h, &c);
    add(&h, &h, &c);
    finish(p, &e, &f, &g, &h);
}

static void prepare(struct addend *out, const struct point *p) {
    add(&out->parts[SUM], &p->y, &p->x);
    subtract(&out->parts[DIFFERENCE], &p->y, &p->x);
    add(&out->parts[TWO_Z], &p->z, &p->z);
    multiply(&out->parts[TWO_D_T], &p->t, &curve_d);
    add(&out->parts[TWO_D_T], &out->parts[TWO_D_T], &out->parts[TWO_D_T]);
}

static void set_point(struct point *out, const struct number *x, const struct number *y) {
    out->x = *x;
    out->y = *y;
    out->z = one;
    multiply(&out->t, x, y);
}

/*
 * RFC 8032, 5.1.3, but the negative of the point: -A is what is needed. Returns 1 for the canonical encoding
 * of a point on the curve, else 0 and numbers that belong to none.
 */
static uint32_t decode_negative(struct point *out, const uint8_t encoded[32]) {
    struct number x, y, u, v, w;
    load(&y, encoded);
    const uint32_t sign = y.words[WORDS - 1u] >> 31;
    y.words[WORDS - 1u] &= TOP_BITS;
    uint32_t valid = difference(&w, &y, &prime); /* it borrows: y < p */
    /* x^2 = u / v; the candidate is u v^3 (u v^7)^((p - 5) / 8), and (p - 5) / 8 = 2^252 - 3. */
    multiply(&w, &y, &y);
    subtract(&u, &w, &one);
    multiply(&v, &w, &curve_d);
    add(&v, &v, &one);
    multiply(&w, &v, &v);
    multiply(&w, &w, &v);
    multiply(&x, &w, &u); /* u v^3 */
    multiply(&w, &w, &x);
    multiply(&w, &w, &v); /* u v^7 */
    power(&w, &w);
    multiply(&x, &x, &w);
    /* v x^2 is u, or -u and the root of -1 is missing in x, or there is no root. */
    multiply(&w, &x, &x);
    multiply(&w, &w, &v);
    const uint32_t right = is_equal(&w, &u);
    add(&w, &w, &u);
    const uint32_t turned = is_equal(&w, &zero);
    multiply(&w, &x, &root_of_minus_1);
    move_if(&x, &w, right ^ 1u);
    valid &= right | turned;
    canonical(&x);
    valid &= (is_zero(&x) & sign) ^ 1u; /* there is no -0 */
    subtract(&w, &zero, &x);
    move_if(&x, &w, (x.words[0] & 1u) ^ sign ^ 1u);
    set_point(out, &x, &y);
    return valid;
}

/* 1 if eight times the point is the neutral one, else 0. */
static uint32_t has_small_order(const struct point *p) {
    struct point eight = *p;
    for (uint32_t i = 0u; i < 3u; i++) {
        double_point(&eight);
    }
    return is_equal(&eight.x, &zero) & is_equal(&eight.y, &eight.z);
}

/* Reads the whole table, so that the index, 0 to 3, shows in no address. */
static void pick(struct addend *out, const struct addend table[4], uint32_t index) {
    const uint32_t high = 0u - (index >> 1), low = 0u - (index & 1u);
    for (uint32_t part = 0u; part < PARTS; part++) {
        for (uint32_t i = 0u; i < WORDS; i++) {
            const uint32_t even = table[0].parts[part].words[i], odd = table[1].parts[part].words[i];
            const uint32_t even_2 = table[2].parts[part].words[i], odd_2 = table[3].parts[part].words[i];
            const uint32_t first = even ^ ((even ^ odd) & low), second = even_2 ^ ((even_2 ^ odd_2) & low);
            out->parts[part].words[i] = first ^ ((first ^ second) & high);
        }
    }
}

/* out = s B + h P, both scalars below 2^253, bit by bit for both at once. */
static void combine(struct point *out, const struct number *s, const struct number *h,
                    const struct point *p) {
    struct addend table[4], picked; /* the neutral point, B, P, B + P */
    set_point(out, &base_x, &base_y);
    prepare(&table[1], out);
    prepare(&table[2], p);
    add_point(out, &table[2]);
    prepare(&table[3], out);
    set_point(out, &zero, &one);
    prepare(&table[0], out);
    for (uint32_t at = 253u; at-- > 0u;) {
        double_point(out);
        pick(&picked, table, bit(s, at) | bit(h, at) << 1);
        add_point(out, &picked);
    }
}

/* SHA-512 of R, the key and the message, modulo the order: from the top, bit by bit. */
static void challenge(struct number *out, const uint8_t *signature, const uint8_t *key,
                      const uint8_t *message, uint32_t size) {
    struct sha512 hash;
    uint8_t digest[SHA512_BYTES];
    sha512_init(&hash);
    sha512_update(&hash, signature, 32u);
    sha512_update(&hash, key, ED25519_KEY_BYTES);
    sha512_update(&hash, message, size);
    sha512_final(&hash, digest);
    *out = zero;
    for (uint32_t at = 8u * SHA512_BYTES; at-- > 0u;) {
        uint32_t carry = (uint32_t)digest[at / 8u] >> (at % 8u) & 1u;
        for (uint32_t i = 0u; i < WORDS; i++) {
            const uint32_t word = out->words[i];
            out->words[i] = word << 1 | carry;
            carry = word >> 31;
        }
        reduce_once(out, &order);
    }
}

/* 1 if the encoding of the point (RFC 8032, 5.1.2) is these bytes, else 0. */
static uint32_t encodes_to(struct point *p, const uint8_t expected[32]) {
    struct number given;
    invert(&p->z, &p->z);
    multiply(&p->x, &p->x, &p->z);
    multiply(&p->y, &p->y, &p->z);
    canonical(&p->x);
    canonical(&p->y);
    p->y.words[WORDS - 1u] |= p->x.words[0] << 31;
    load(&given, expected);
    (void)difference(&given, &given, &p->y);
    return is_zero(&given);
}

uint32_t ed25519_verify(const uint8_t signature[ED25519_SIGNATURE_BYTES],
                        const uint8_t key[ED25519_KEY_BYTES], const uint8_t *message, uint32_t size) {
    struct number s, h;
    struct point a, r;
    challenge(&h, signature, key, message, size);
    load(&s, signature + 32);
    uint32_t valid = difference(&r.x, &s, &order); /* it borrows: S < L */
    valid &= decode_negative(&a, key);
    valid &= has_small_order(&a) ^ 1u;
    combine(&r, &s, &h, &a);
    valid &= encodes_to(&r, signature);
    return valid;
}
