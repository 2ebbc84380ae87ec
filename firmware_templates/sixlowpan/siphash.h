/*
 * SipHash-2-4 with a key of 128 bits and a result of 64 (Aumasson, Bernstein: SipHash: a fast short-input PRF,
 * INDOCRYPT 2012).
 */
#ifndef TINYC_SIPHASH_H
#define TINYC_SIPHASH_H

#include <stdint.h>

#define SIPHASH_ROOM 8u

/* Of a text in two parts. The first has SIPHASH_ROOM bytes behind it, which are written. */
uint64_t siphash(const uint8_t key[16], uint8_t *start, uint32_t start_length, const uint8_t *rest,
                 uint32_t rest_length);

#endif
