/* BLAKE2s without a key, with a result of 8 bytes (RFC 7693). */
#ifndef TINYC_BLAKE2S_H
#define TINYC_BLAKE2S_H

#include <stdint.h>

#define BLAKE2S_MORE 8u

/*
 * Of a text and what is behind it, at most BLAKE2S_MORE bytes that lie elsewhere; the result is a little endian number.
 * `person` is the first byte of the personalization, the others are 0: another one is another hash.
 */
uint64_t blake2s(uint8_t person, const uint8_t *text, uint32_t length, const uint8_t *more, uint32_t more_length);

#endif
