/*
 * SHA-256 with rounds unrolled by 8: there the eight variables change their names instead of their places.
 * The schedule is made before them, all 64 words, as both together have more values than a Cortex-M has
 * registers. Build with -O2.
 */
#include "sha256.h"

#include <string.h>

#define BLOCK 64u

/* FIPS 180-4, 5.3.3: the first 32 bits of the fractions of the square roots of the first 8 primes. */
static const uint32_t initial[8] = {
    0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u,
};

/* FIPS 180-4, 4.2.2: those of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
    0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
    0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
    0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
    0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
    0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
    0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u,
};

/* FIPS 180-4, 4.1.2. */
#define ROTATE(x, by) ((x) >> (by) | (x) << (32u - (by)))
#define SUM_0(x) (ROTATE(x, 2u) ^ ROTATE(x, 13u) ^ ROTATE(x, 22u))
#define SUM_1(x) (ROTATE(x, 6u) ^ ROTATE(x, 11u) ^ ROTATE(x, 25u))
#define SIGMA_0(x) (ROTATE(x, 7u) ^ ROTATE(x, 18u) ^ (x) >> 3)
#define SIGMA_1(x) (ROTATE(x, 17u) ^ ROTATE(x, 19u) ^ (x) >> 10)
#define CHOICE(x, y, z) (((x) & (y)) + ((z) & ~(x)))

/* The majority of a, b, c is b ^ ((a ^ b) & (b ^ c)), and a ^ b is the next round's b ^ c. */
#define ROUND(a, b, c, d, e, f, g, h, i, ab, bc)                                                             \
    do {                                                                                                     \
        h += SUM_1(e) + CHOICE(e, f, g) + k[i] + w[i];                                                       \
        d += h;                                                                                              \
        ab = a ^ b;                                                                                          \
        bc &= ab;                                                                                            \
        h += SUM_0(a) + (b ^ bc);                                                                            \
    } while (0)

static void compress(uint32_t state[8], const uint8_t *data) {
    uint32_t words[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (uint32_t i = 0u; i < 16u; i++, data += 4) {
        words[i] = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
    }
    for (uint32_t *w = words; w < words + 48; w += 4) {
        w[16] = w[0] + SIGMA_0(w[1]) + w[9] + SIGMA_1(w[14]);
        w[17] = w[1] + SIGMA_0(w[2]) + w[10] + SIGMA_1(w[15]);
        w[18] = w[2] + SIGMA_0(w[3]) + w[11] + SIGMA_1(w[16]);
        w[19] = w[3] + SIGMA_0(w[4]) + w[12] + SIGMA_1(w[17]);
    }
    uint32_t x, y = b ^ c;
    const uint32_t *k = constants;
    for (const uint32_t *w = words; w < words + 64; w += 8, k += 8) {
        ROUND(a, b, c, d, e, f, g, h, 0, x, y);
        ROUND(h, a, b, c, d, e, f, g, 1, y, x);
        ROUND(g, h, a, b, c, d, e, f, 2, x, y);
        ROUND(f, g, h, a, b, c, d, e, 3, y, x);
        ROUND(e, f, g, h, a, b, c, d, 4, x, y);
        ROUND(d, e, f, g, h, a, b, c, 5, y, x);
        ROUND(c, d, e, f, g, h, a, b, 6, x, y);
        ROUND(b, c, d, e, f, g, h, a, 7, y, x);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void sha256_init(struct sha256 *hash) {
    memcpy(hash->state, initial, sizeof initial);
    hash->size = 0u;
}

void sha256_update(struct sha256 *hash, const uint8_t *data, uint32_t size) {
    uint32_t used = (uint32_t)hash->size % BLOCK;
    hash->size += size;
    while (size > 0u) {
        if (used == 0u && size >= BLOCK) { /* whole blocks are read where they lie */
            compress(hash->state, data);
            data += BLOCK;
            size -= BLOCK;
            continue;
        }
        const uint32_t part = size < BLOCK - used ? size : BLOCK - used;
        memcpy(hash->block + used, data, part);
        data += part;
        size -= part;
        used += part;
        if (used == BLOCK) {
            compress(hash->state, hash->block);
            used = 0u;
        }
    }
}

void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_BYTES]) {
    const uint64_t bits = hash->size * 8u;
    uint32_t used = (uint32_t)hash->size % BLOCK;
    hash->block[used++] = 0x80u;
    if (used > BLOCK - 8u) {
        memset(hash->block + used, 0, BLOCK - used);
        compress(hash->state, hash->block);
        used = 0u;
    }
    memset(hash->block + used, 0, BLOCK - 8u - used);
    for (uint32_t i = 0u; i < 8u; i++) {
        hash->block[BLOCK - 8u + i] = (uint8_t)(bits >> (56u - 8u * i));
    }
    compress(hash->state, hash->block);
    for (uint32_t i = 0u; i < SHA256_BYTES; i++) {
        digest[i] = (uint8_t)(hash->state[i / 4u] >> (24u - 8u * (i % 4u)));
    }
}
