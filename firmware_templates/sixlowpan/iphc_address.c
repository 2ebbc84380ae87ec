#include "iphc_address.h"

#include <string.h>

#include "lpc_words.h"

static void copy_8(uint8_t *to, const uint8_t *from) {
    lpc_put_word(to, lpc_word_at(from));
    lpc_put_word(to + 4, lpc_word_at(from + 4));
}

/* 0000:00FF:FE00 and the two bytes of a short address. */
static void put_short(uint8_t *identifier, const uint8_t *address) {
    lpc_put_word(identifier, 0xFF000000u);
    identifier[4] = 0xFEu;
    identifier[5] = 0u;
    identifier[6] = address[0];
    identifier[7] = address[1];
}

uint32_t iphc_identifier(const struct lpc_address *address, uint8_t *identifier) {
    if (address->kind == 2u) {
        put_short(identifier, address->bytes);
    } else if (address->kind == 8u) {
        copy_8(identifier, address->bytes);
        identifier[0] ^= 2u;
    } else {
        return 0u;
    }
    return 1u;
}

/* Puts the bits of the prefix in front of the address. */
static void put_prefix(const struct iphc_context *context, uint8_t *address) {
    const uint32_t length = context->length > 128u ? 128u : context->length;
    const uint32_t whole = length / 8u;
    for (uint32_t i = 0; i < whole; i++) {
        address[i] = context->prefix[i];
    }
    if (length % 8u != 0u) {
        const uint32_t mask = 0xFFu >> (length % 8u);
        address[whole] = (uint8_t)((context->prefix[whole] & ~mask) | (address[whole] & mask));
    }
}

void iphc_unicast(const struct iphc_context *context, uint32_t form, const uint8_t *carried,
                  const uint8_t *identifier, uint8_t *address) {
    lpc_put_word(address, context == 0 ? 0x80FEu : 0u); /* FE80::/64 */
    lpc_put_word(address + 4, 0u);
    if (form == 2u) {
        put_short(address + 8, carried);
    } else {
        copy_8(address + 8, form == 3u ? identifier : carried);
    }
    if (context != 0) {
        put_prefix(context, address);
    }
}

void iphc_multicast(const struct iphc_context *context, uint32_t form, const uint8_t *carried,
                    uint8_t *address) {
    if (context == 0 && form == 0u) {
        memcpy(address, carried, 16u);
        return;
    }
    memset(address, 0, 16u);
    if (context != 0) {
        put_prefix(context, address);
        for (uint32_t i = 8u; i > 0u; i--) {
            address[i + 3u] = address[i - 1u];
        }
        address[1] = carried[0];
        address[2] = carried[1];
        address[3] = context->length;
        memcpy(address + 12, carried + 2, 4u);
    } else if (form == 3u) {
        address[1] = 2u;
        address[15] = carried[0];
    } else {
        const uint32_t tail = form == 1u ? 5u : 3u;
        address[1] = carried[0];
        memcpy(address + 16u - tail, carried + 1, tail);
    }
    address[0] = 0xFFu;
}
