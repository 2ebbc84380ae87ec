/*
 * The bootloader's cryptography behind standard input and output. Every piece lies in memory of exactly its
 * size, so that a sanitizer sees a byte that is read beyond it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ed25519.h"
#include "sha256.h"
#include "sha512.h"

static uint8_t *take(uint32_t size) {
    uint8_t *const data = malloc(size);
    if ((data == NULL && size > 0u) || fread(data, 1u, size, stdin) != size) {
        exit(2);
    }
    return data;
}

static uint32_t take_number(void) {
    uint8_t *const bytes = take(4u);
    const uint32_t number =
        bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    free(bytes);
    return number;
}

static void verify(void) {
    uint8_t *const signature = take(ED25519_SIGNATURE_BYTES);
    uint8_t *const key = take(ED25519_KEY_BYTES);
    const uint32_t size = take_number();
    uint8_t *const message = take(size);
    const uint32_t verdict = ed25519_verify(signature, key, message, size);
    if (verdict > 1u) {
        exit(3);
    }
    putchar((int)verdict);
    free(signature);
    free(key);
    free(message);
}

/* A number of pieces, and each with its size before it. */
static void hash(int bits) {
    struct sha256 hash_256;
    struct sha512 hash_512;
    uint8_t *const digest = malloc(bits == 256 ? SHA256_BYTES : SHA512_BYTES);
    memset(&hash_256, 0xa5, sizeof hash_256);
    memset(&hash_512, 0xa5, sizeof hash_512);
    sha256_init(&hash_256);
    sha512_init(&hash_512);
    for (uint32_t pieces = take_number(); pieces > 0u; pieces--) {
        const uint32_t size = take_number();
        uint8_t *const data = take(size);
        if (bits == 256) {
            sha256_update(&hash_256, data, size);
        } else {
            sha512_update(&hash_512, data, size);
        }
        free(data);
    }
    if (bits == 256) {
        sha256_final(&hash_256, digest);
        fwrite(digest, 1u, SHA256_BYTES, stdout);
    } else {
        sha512_final(&hash_512, digest);
        fwrite(digest, 1u, SHA512_BYTES, stdout);
    }
    free(digest);
}

int main(void) {
    for (int what = getchar(); what != EOF; what = getchar()) {
        if (what == 'v') {
            verify();
        } else if (what == '2' || what == '5') {
            hash(what == '2' ? 256 : 512);
        } else {
            return 4;
        }
    }
    return 0;
}
