/*
 * SHA-256 (FIPS 180-4), for images that are hashed at every boot: made for speed.
 */
#ifndef TINYC_SHA256_H
#define TINYC_SHA256_H

#include <stdint.h>

#define SHA256_BYTES 32u

struct sha256 {
    uint32_t state[8];
    uint64_t size; /* of the message so far, in bytes */
    uint8_t block[64];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const uint8_t *data, uint32_t size);

/* The digest of all that came. Needs another sha256_init() afterwards. */
void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);

#endif
