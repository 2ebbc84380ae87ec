/*
 * The 6LoWPAN receive path and its sending side, told by standard input what happens: a letter and its operands.
 * What comes of it goes to standard output. Python plays the same to the twin and compares.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blake2s.h"
#include "lpc.h"
#include "lpc_features.h"
#include "siphash.h"

static void take(void *to, size_t size) {
    if (size != 0u && fread(to, 1u, size, stdin) != size) {
        exit(3);
    }
}

static uint32_t take_word(void) {
    uint32_t word;
    take(&word, sizeof word);
    return word;
}

static void give(const void *from, size_t size) {
    (void)fwrite(from, 1u, size, stdout);
}

static void give_word(uint32_t word) {
    give(&word, sizeof word);
}

void lpc_deliver(struct lpc_datagram *datagram) {
    static uint8_t all[LPC_SIZE_MAX], some[LPC_SIZE_MAX];
    const uint8_t *piece;
    uint8_t length = 0u;
    uint16_t at = datagram->header_length;
    if (lpc_copy(datagram, 0u, all, datagram->size) == 0u || memcmp(all, datagram->header, at) != 0 ||
        lpc_copy(datagram, 1u, some, datagram->size) != 0u) {
        exit(5);
    }
    for (uint16_t from = 0u; from < datagram->size; from = (uint16_t)(from + 37u)) {
        const uint16_t left = (uint16_t)(datagram->size - from), part = left < 150u ? left : 150u;
        if (lpc_copy(datagram, from, some, part) == 0u || memcmp(some, all + from, part) != 0) {
            exit(5);
        }
    }
    give_word(0xD0D0D0D0u);
    give(&datagram->source, sizeof datagram->source);
    give(&datagram->destination, sizeof datagram->destination);
    give_word(datagram->size);
    give_word(datagram->tag);
    give_word(datagram->mode);
    give_word(datagram->upper);
    give_word(datagram->protocol);
    give_word(datagram->header_length);
    give(datagram->header, datagram->header_length);
    while ((piece = lpc_piece(datagram, &length)) != 0) {
        if (at + length > datagram->size || memcmp(piece, all + at, length) != 0) {
            exit(6);
        }
        at = (uint16_t)(at + length);
        give_word(length);
        give(piece, length);
    }
    give_word(0u);
}

#if LPC_RANK
/* The features, and a rank that depends on all of them. */
uint8_t lpc_rank(const int8_t features[LPC_FEATURES]) {
    uint32_t sum = 0u;
    give(features, LPC_FEATURES);
    for (uint32_t i = 0u; i < LPC_FEATURES; i++) {
        sum = sum * 31u + (uint8_t)features[i];
    }
    return (uint8_t)(sum >> 3);
}
#endif

/* What is in use and all counters, as a sum that depends on their places; the score of an address in both forms. */
static void give_state(const struct lpc_address *source) {
    const struct lpc_use use = lpc_in_use();
    uint32_t sum = 0u;
    for (uint32_t i = 0u; i < LPC_COUNTERS; i++) {
        sum = sum * 31u + lpc_counter(i);
    }
    give_word(use.slots);
    give_word(use.contexts);
    give_word(sum);
    give_word(lpc_score(source, 0u));
    give_word(lpc_score(source, 1u));
}

static void frame(uint32_t whole) {
    struct lpc_address source, destination;
    struct lpc_meta meta = {0, 0u, 0u};
    const uint32_t now = take_word();
    take(&source, sizeof source);
    take(&destination, sizeof destination);
    take(&meta.rssi, 1u);
    take(&meta.dsn, 1u);
    const uint32_t length = take_word();
    /* Of just that size: a sanitizer sees each byte read behind it. */
    uint8_t *const payload = malloc(length == 0u ? 1u : length);
    if (payload == 0 || length > 255u) {
        exit(4);
    }
    take(payload, length);
    const uint32_t verdict = whole != 0u
                                 ? lpc_whole(now, &source, &destination, payload, (uint8_t)length)
                                 : lpc_input(now, &source, &destination, &meta, payload, (uint8_t)length);
    free(payload);
    give_word(verdict);
    give_state(&source);
}

static void held(void) {
    struct lpc_holding it;
    for (uint32_t i = 0u; i <= LPC_CONTEXTS; i++) {
        if (lpc_held(i, &it) != 0u) {
            give(&it.source, sizeof it.source);
            give(&it.destination, sizeof it.destination);
            give_word(it.size);
            give_word(it.tag);
            give_word(it.mode);
            give_word(it.slots);
            give_word(it.bytes);
        }
    }
    give_word(0u);
}

static void poll(void) {
    struct lpc_address source;
    const uint32_t now = take_word();
    take(&source, sizeof source);
    lpc_poll(now);
    give_state(&source);
}

static void forget(void) {
    struct lpc_address source;
    take(&source, sizeof source);
    lpc_forget(&source);
    give_state(&source);
}

static void send(void) {
    static uint8_t header[256], rest[2048], key[16];
    uint8_t made[128];
    struct lpc_outgoing outgoing;
    memset(&outgoing, 0, sizeof outgoing);
    take(&outgoing.source, sizeof outgoing.source);
    take(&outgoing.destination, sizeof outgoing.destination);
    outgoing.mode = (uint8_t)take_word();
    outgoing.tag = (uint16_t)take_word();
    outgoing.epoch = (uint16_t)take_word();
    outgoing.covers = (uint16_t)take_word();
    outgoing.header_length = (uint8_t)take_word();
    outgoing.rest_length = (uint16_t)take_word();
    const uint8_t room = (uint8_t)take_word();
    take(key, sizeof key);
    take(header, outgoing.header_length);
    take(rest, outgoing.rest_length);
    outgoing.header = header;
    outgoing.rest = rest;
    outgoing.key = key;
    if (lpc_send_begin(&outgoing, room) != 0u) {
        uint8_t length;
        while ((length = lpc_send_next(made)) != 0u) {
            give_word(length);
            give(made, length);
        }
    }
    give_word(0u);
}

/* Both hashes of a text that lies at a given place: the first of two parts is so long, the end of it lies elsewhere. */
static void hashes(void) {
    uint8_t key[16], more[BLAKE2S_MORE];
    take(key, sizeof key);
    const uint32_t length = take_word(), place = take_word(), start = take_word(), behind = take_word();
    uint8_t *const memory = malloc(place + length + 1u), *const first = malloc(start + SIPHASH_ROOM);
    if (memory == 0 || first == 0 || start > length || behind > length || behind > sizeof more) {
        exit(4);
    }
    uint8_t *text = memory + place;
    take(text, length);
    memcpy(first, text, start);
    const uint64_t keyed = siphash(key, first, start, text + start, length - start);
    free(first);
    /* The text's end is the memory's. */
    memcpy(more, text + length - behind, behind);
    text = malloc(place + length - behind + 1u);
    if (text == 0) {
        exit(4);
    }
    memcpy(text + place, memory + place, length - behind);
    const uint64_t plain = blake2s(key[place], text + place, length - behind, more, behind);
    free(text);
    free(memory);
    give(&keyed, sizeof keyed);
    give(&plain, sizeof plain);
}

int main(void) {
    int what;
    lpc_init();
    while ((what = getchar()) != EOF) {
        switch (what) {
        case 'f': frame(0u); break;
        case 'o': frame(1u); break;
        case 'p': poll(); break;
        case 'g': forget(); break;
        case 's': send(); break;
        case 'h': hashes(); break;
        case 'w': held(); break;
        case 'i': lpc_init(); break;
        case 't': give_word(lpc_peer_top(take_word())); break;
        case 'r': {
            const uint32_t peer = take_word();
            lpc_peer_resume(peer, take_word());
            break;
        }
        default: return 2;
        }
    }
    return 0;
}
