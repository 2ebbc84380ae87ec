/*
 * Any bytes for the decompressor of IPv6 headers, by libFuzzer. The first bytes choose the addresses, the
 * contexts, size and room. What is accepted is compressed again, and must come back to the same headers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "iphc.h"

#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            abort(); \
        } \
    } while (0)

static const struct iphc_context contexts[] = {
    {0u, 64u, {0x20u, 0x01u, 0x0Du, 0xB8u, 0u, 1u, 0u, 2u}},
    {3u, 48u, {0x20u, 0x01u, 0x0Du, 0xB8u, 0xAAu, 0xAAu}},
    {7u, 45u, {0x20u, 0x01u, 0x0Du, 0xB8u, 0xBBu, 0xB8u}},
    {15u, 128u, {0x20u, 0x01u, 0x0Du, 0xB8u, 0u, 1u, 0u, 2u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0x99u}},
    {4u, 0u, {0u}},
};

static uint8_t *exactly(const uint8_t *from, size_t count) {
    uint8_t *const copy = malloc(count + (count == 0u));
    REQUIRE(copy != NULL);
    if (from != NULL) {
        memcpy(copy, from, count);
    }
    return copy;
}

static void address(struct lpc_address *into, uint8_t kind, uint8_t salt) {
    static const uint8_t kinds[4] = {0u, 2u, 8u, 8u};
    into->kind = kinds[kind & 3u];
    for (uint32_t i = 0; i < into->kind; i++) {
        into->bytes[i] = (uint8_t)(salt + i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
    struct iphc_link link = {0};
    struct iphc_headers made;
    struct iphc_headers again;
    struct iphc_headers back;
    if (length < 4u || length > 4u + 255u) {
        return 0;
    }
    address(&link.source, data[0], 0x10u);
    address(&link.destination, (uint8_t)(data[0] >> 2), 0x20u);
    link.contexts = contexts;
    link.context_count = (uint8_t)(sizeof contexts / sizeof *contexts);
    link.elided = data[0] >> 4 & 1u;
    const uint16_t size = (uint16_t)(data[0] >> 5 != 0u ? (data[0] >> 5) * 256u + data[1] : 0u);
    const uint8_t room = data[2];
    const uint8_t count = (uint8_t)(length - 4u);
    uint8_t *const input = exactly(data + 4, count);
    uint8_t *const headers = exactly(NULL, room);
    if (iphc_decompress(&link, input, count, size, headers, room, &made) == IPHC_OK) {
        REQUIRE(made.consumed <= count && made.made <= room);
        const uint32_t whole = (uint32_t)made.made + count - made.consumed;
        const uint32_t total = size != 0u ? size : whole;
        REQUIRE(whole <= total || made.made == 0u);
        if (made.made != 0u) {
            uint8_t out[255];
            uint8_t restored[255];
            REQUIRE(made.ip + 40u <= made.made && (made.udp == 0u || made.udp + 8u == made.made));
            uint8_t *const given = exactly(headers, made.made);
            REQUIRE(iphc_compress(&link, given, made.made, (uint16_t)total, out, 255u, &again) == IPHC_OK);
            REQUIRE(again.consumed <= made.made && again.consumed >= 40u);
            uint8_t *const air = exactly(out, again.made);
            REQUIRE(iphc_decompress(&link, air, again.made, (uint16_t)total, restored, 255u, &back) == IPHC_OK);
            REQUIRE(back.made == again.consumed && back.consumed == again.made);
            if (back.elided) {
                memset(given + back.udp + 6u, 0, 2u);
            }
            REQUIRE(memcmp(restored, given, back.made) == 0);
            free(air);
            free(given);
        }
    }
    /* The same bytes as the start of a datagram. */
    uint8_t *const out = exactly(NULL, room);
    if (iphc_compress(&link, input, count, size, out, room, &made) == IPHC_OK) {
        REQUIRE(made.consumed <= count && made.made <= room);
    }
    free(out);
    free(headers);
    free(input);
    return 0;
}
