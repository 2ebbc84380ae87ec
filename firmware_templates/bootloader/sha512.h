/*
 * SHA-512 (FIPS 180-4), as a part of Ed25519: made to be small.
 */
#ifndef TINYC_SHA512_H
#define TINYC_SHA512_H

#include <stdint.h>

#define SHA512_BYTES 64u

struct sha512 {
    uint64_t state[8];
    uint64_t block[16]; /* bytes enter their word from the right */
    uint64_t size;      /* of the message so far, in bytes */
};

void sha512_init(struct sha512 *hash);
void sha512_update(struct sha512 *hash, const uint8_t *data, uint32_t size);

/* The digest of all that came. Needs another sha512_init() afterwards. */
void sha512_final(struct sha512 *hash, uint8_t digest[SHA512_BYTES]);

#endif
