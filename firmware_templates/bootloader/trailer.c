/*
 * The fields at the end of a slot. Every word is written at most once: one that is neither blank nor right
 * stays as it is.
 */
#include "trailer.h"

#include "request.h"

#define INFO_TEST 0xFFFFFF02u
#define INFO_PERMANENT 0xFFFFFF03u

static const uint32_t magic[4] = {0xF395C277u, 0x7FEFD260u, 0x0F505235u, 0x8079B62Cu};

static uint32_t image_ok(uint32_t end) {
    return flash_word(end - TRAILER_IMAGE_OK);
}

/* Reads each word once. */
uint32_t trailer_pending(uint32_t end) {
    uint32_t good = 1u, all = FLASH_BLANK;
    for (uint32_t i = 0u; i < 4u; i++) {
        const uint32_t word = flash_word(end - TRAILER_MAGIC + 4u * i);
        good &= word == magic[i];
        all &= word;
    }
    if (good) {
        return image_ok(end) == TRAILER_SET ? REQUEST_PERMANENT : REQUEST_TEST;
    }
    return all == FLASH_BLANK ? REQUEST_NONE : REQUEST_TORN;
}

void trailer_write_magic(uint32_t end) {
    flash_write(end - TRAILER_MAGIC, magic, 4u);
}

void trailer_write(uint32_t end, uint32_t field, uint32_t word) {
    flash_write(end - field, &word, 1u);
}

uint32_t trailer_is_blank(uint32_t end) {
    uint32_t all = FLASH_BLANK;
    for (uint32_t at = end - TRAILER_SWAP_INFO; at != end; at += 4u) {
        all &= flash_word(at);
    }
    return all == FLASH_BLANK;
}

uint32_t trailer_ask(uint32_t end, uint32_t permanent) {
    const uint32_t pending = trailer_pending(end);
    if (pending == REQUEST_TEST && permanent && image_ok(end) == FLASH_BLANK) {
        trailer_write(end, TRAILER_IMAGE_OK, TRAILER_SET);
        return trailer_pending(end);
    }
    if (pending != REQUEST_NONE) {
        return pending;
    }
    if (!trailer_is_blank(end)) {
        return REQUEST_TORN;
    }
    /* The magic comes last: without it there is no request. */
    trailer_write(end, TRAILER_SWAP_INFO, permanent ? INFO_PERMANENT : INFO_TEST);
    if (permanent) {
        trailer_write(end, TRAILER_IMAGE_OK, TRAILER_SET);
    }
    trailer_write_magic(end);
    return trailer_pending(end);
}

uint32_t trailer_confirmed(uint32_t end) {
    const uint32_t pending = trailer_pending(end);
    return pending == REQUEST_NONE || pending == REQUEST_PERMANENT;
}

uint32_t trailer_confirm(uint32_t end) {
    if (trailer_pending(end) == REQUEST_TEST && image_ok(end) == FLASH_BLANK) {
        trailer_write(end, TRAILER_IMAGE_OK, TRAILER_SET);
    }
    return trailer_confirmed(end);
}
