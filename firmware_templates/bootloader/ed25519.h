/*
 * Ed25519 (RFC 8032, 5.1.7): verification, and nothing that needs a secret.
 */
#ifndef TINYC_ED25519_H
#define TINYC_ED25519_H

#include <stdint.h>

#define ED25519_SIGNATURE_BYTES 64u
#define ED25519_KEY_BYTES 32u

/*
 * 1 if `signature` is that of `message` under `key`, else 0. Strict: S is below the order of the base
 * point, the key is the canonical encoding of a point that is not of small order, R is compared as bytes,
 * without a cofactor. The time depends on nothing but `size`.
 */
uint32_t ed25519_verify(const uint8_t signature[ED25519_SIGNATURE_BYTES],
                        const uint8_t key[ED25519_KEY_BYTES], const uint8_t *message, uint32_t size);

#endif
