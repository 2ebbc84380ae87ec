/*
 * The chains.
 *
 * Keyed: S1 = SipHash(key, link, destination, source, counter, fragment 1), Si = SipHash(key, link, S(i-1), fragment
 * i). Fragments carry the first bytes of their S: 4 in the first, 2 between, 8 in the last and in a lone one.
 * Content: N(i) = BLAKE2s-64(fragment i, N(i+1)), made backwards; a fragment carries the next one's N. What kind of
 * fragment it is goes into the hash: the last one is not another one whose N is a part of the payload. The second
 * one's has the hash of the first fragment behind it, which is made when that one comes: a copied N does not fit
 * another first fragment, and no fragment takes more than two blocks.
 */
#include "lpc_chain.h"

#include <string.h>

#include "blake2s.h"
#include "lpc_words.h"
#include "siphash.h"

/* The kinds. */
#define LATER 0x10u
#define LAST 0x01u
#define SECOND 0x02u
#define FIRST 0x04u

uint64_t lpc_chain_first(const uint8_t *key, const struct lpc_address *source, const struct lpc_address *destination,
                         uint32_t counter, uint32_t link, const uint8_t *fragment, uint8_t length) {
    uint8_t start[23u + SIPHASH_ROOM];
    start[0] = (uint8_t)link;
    memcpy(start + 1, destination->bytes, 8u);
    memcpy(start + 9, source->bytes, 8u);
    start[17] = destination->kind;
    start[18] = source->kind;
    lpc_put_word(start + 19, counter);
    return siphash(key, start, sizeof start - SIPHASH_ROOM, fragment, length);
}

uint64_t lpc_chain_later(const uint8_t *key, uint64_t before, uint32_t link, const uint8_t *fragment, uint8_t length) {
    uint8_t start[9u + SIPHASH_ROOM];
    start[0] = (uint8_t)link;
    lpc_put_double(start + 1, before);
    return siphash(key, start, sizeof start - SIPHASH_ROOM, fragment, length);
}

uint32_t lpc_chain_fits(uint64_t value, const uint8_t *tag, uint8_t length) {
    const uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
    if (length == LPC_TAG_MIDDLE_BYTES) {
        return ((tag[0] | (uint32_t)tag[1] << 8) ^ (low & 0xFFFFu)) == 0u;
    }
    return ((lpc_word_at(tag) ^ low) | (length == LPC_TAG_LAST_BYTES ? lpc_word_at(tag + 4) ^ high : 0u)) == 0u;
}

uint64_t lpc_content_first(const uint8_t *fragment, uint8_t length) {
    return blake2s(FIRST, fragment, length, fragment, 0u);
}

uint64_t lpc_content_hash(const uint8_t *fragment, uint8_t length, uint32_t last, const uint8_t *first) {
    const uint32_t kind = LATER | (last != 0u ? LAST : 0u) | (first != 0 ? SECOND : 0u);
    return blake2s((uint8_t)kind, fragment, length, first != 0 ? first : fragment, first != 0 ? LPC_HASH_BYTES : 0u);
}
