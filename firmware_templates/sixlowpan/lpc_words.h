/* Words out of bytes, for the hashes and for addresses. */
#ifndef TINYC_LPC_WORDS_H
#define TINYC_LPC_WORDS_H

#include <stdint.h>
#include <string.h>

/* The hashes read their words in place. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the 6LoWPAN receive path needs a little endian machine"
#endif

/* One load where the core reads words at any address. */
static inline uint32_t lpc_word_at(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline uint64_t lpc_double_at(const uint8_t *bytes) {
    return (uint64_t)lpc_word_at(bytes + 4) << 32 | lpc_word_at(bytes);
}

static inline void lpc_put_word(uint8_t *bytes, uint32_t word) {
    memcpy(bytes, &word, sizeof word);
}

static inline void lpc_put_double(uint8_t *bytes, uint64_t value) {
    memcpy(bytes, &value, sizeof value);
}

/*
 * The value is made before anything behind this line is begun; no instruction. Compilers mix the steps of a hash until
 * they have more values under way than registers, and make three instructions of two shifted operands.
 */
#if defined(__thumb2__)
#define LPC_MADE(x) __asm__ volatile("" : "+r"(x))
#else
#define LPC_MADE(x) ((void)0)
#endif

#endif
