/*
 * The decompressor of IPv6 headers (RFC 6282). Each byte is taken through `iphc_take` and made through
 * `iphc_make`, which know the bounds; every turn of the loop over next headers takes at least a byte.
 * A Fragment header is read with a reserved byte in place of the length, and nothing compressed may follow
 * it: the length of UDP behind it could not be told.
 */
#include "iphc.h"

#include <string.h>

#include "iphc_address.h"
#include "iphc_work.h"

#define IPV6 41u
#define UDP 17u

/* By the identifier of an extension header; 255: reserved. */
static const uint8_t protocols[8] = {0u, 43u, 44u, 60u, 135u, 255u, 255u, IPV6};

/* Makes the extension header whose NHC byte is `code`. */
static void read_extension(struct iphc_work *work, uint32_t code) {
    const uint32_t protocol = protocols[code >> 1 & 7u];
    uint8_t *const made = work->headers == 0 ? 0 : work->headers + work->made;
    uint8_t following = 0u;
    if ((code & 1u) == 0u) {
        const uint8_t *const carried = iphc_take(work, 1u);
        if (carried == 0) {
            return;
        }
        following = *carried;
    }
    if (protocol == 44u) {
        if ((code & 1u) != 0u) {
            work->result = IPHC_EXTENSION;
            return;
        }
        const uint8_t *const rest = iphc_take(work, 7u);
        if (rest != 0 && iphc_make(work, 8u) != 0u && made != 0) {
            made[0] = following;
            memcpy(made + 1, rest, 7u);
        }
        return;
    }
    const uint8_t *const length = iphc_take(work, 1u);
    if (length == 0) {
        return;
    }
    const uint32_t body = *length;
    const uint32_t padding = (8u - (2u + body) % 8u) % 8u;
    if (padding != 0u && protocol != 0u && protocol != 60u) {
        work->result = IPHC_EXTENSION;
        return;
    }
    const uint8_t *const carried = iphc_take(work, body);
    if (carried == 0 || iphc_make(work, 2u + body + padding) == 0u || made == 0) {
        return;
    }
    made[0] = following;
    made[1] = (uint8_t)((2u + body + padding) / 8u - 1u);
    memcpy(made + 2, carried, body);
    memset(made + 2u + body, 0, padding);
    if (padding >= 2u) {
        made[2u + body] = 1u;
        made[3u + body] = (uint8_t)(padding - 2u);
    }
}

/* Makes a UDP header whose length is still zero. */
static void read_udp(struct iphc_work *work, uint32_t code) {
    static const uint8_t carried_ports[4] = {4u, 3u, 3u, 1u};
    const uint32_t form = code & 3u;
    uint8_t *const made = work->headers == 0 ? 0 : work->headers + work->made;
    const uint8_t *const ports = iphc_take(work, carried_ports[form]);
    if (ports == 0) {
        return;
    }
    static const uint8_t none[2] = {0u, 0u};
    const uint8_t *const checksum = (code & 4u) != 0u ? none : iphc_take(work, 2u);
    if (checksum == 0 || iphc_make(work, 8u) == 0u || made == 0) {
        return;
    }
    made[0] = form >= 2u ? 0xF0u : ports[0];
    made[1] = form == 3u ? (uint8_t)(0xB0u | ports[0] >> 4) : ports[1u - form / 2u];
    made[2] = (form & 1u) != 0u ? 0xF0u : ports[2u - form / 2u];
    made[3] = form == 3u ? (uint8_t)(0xB0u | (ports[0] & 15u)) : ports[carried_ports[form] - 1u];
    made[4] = 0u;
    made[5] = 0u;
    made[6] = checksum[0];
    made[7] = checksum[1];
}

static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t plain(const uint8_t *data, uint8_t length, uint16_t size, struct iphc_headers *result) {
    if (length < 1u + IPHC_IPV6_BYTES) {
        return IPHC_TRUNCATED;
    }
    if (data[1] >> 4 != 6u) {
        return IPHC_DISPATCH;
    }
    if (size != 0u && (uint32_t)length - 1u > size) {
        return IPHC_SIZE;
    }
    result->consumed = 1u;
    return IPHC_OK;
}

static void put_next(struct iphc_work *work, uint32_t at, uint32_t protocol) {
    if (work->headers != 0) {
        work->headers[at] = (uint8_t)protocol;
    }
}

/* The next headers behind the first IPv6 header. Returns 1 if one of them is an IPv6 header. */
static uint32_t read_next(struct iphc_work *work, struct iphc_headers *result) {
    uint32_t next_at = 6u;
    uint32_t nested = 0u;
    uint32_t routed = 0u;
    uint32_t more = 1u;
    while (more) {
        const uint8_t start = work->made;
        const uint8_t *const at = iphc_take(work, 1u);
        if (at == 0) {
            return nested;
        }
        const uint32_t code = *at;
        const uint32_t protocol = protocols[code >> 1 & 7u];
        if (code >> 3 == 0x1Eu) {
            result->elided = (uint8_t)(code >> 2 & 1u);
            if (result->elided && (routed || !work->link->elided)) {
                work->result = IPHC_CHECKSUM;
                return nested;
            }
            read_udp(work, code);
            put_next(work, next_at, UDP);
            result->udp = start;
            return nested;
        }
        if (code >> 4 != 0xEu || protocol == 255u || (code & 15u) == 15u) {
            work->result = IPHC_RESERVED;
            return nested;
        }
        if (protocol == IPV6) {
            if (nested) {
                work->result = IPHC_EXTENSION;
                return nested;
            }
            nested = 1u;
            result->ip = start;
            /* Its addresses are derived from those around it: none is absent. */
            const uint8_t *const outer = work->headers;
            more = outer == 0 ? iphc_ipv6(work, at, at) : iphc_ipv6(work, outer + 16, outer + 32);
            put_next(work, next_at, IPV6);
            next_at = start + 6u;
        } else {
            read_extension(work, code);
            put_next(work, next_at, protocol);
            routed |= protocol == 43u;
            next_at = start;
            more = code & 1u;
        }
        if (work->result != IPHC_OK) {
            return nested;
        }
    }
    return nested;
}

uint32_t iphc_decompress(const struct iphc_link *link, const uint8_t *data, uint8_t length, uint16_t size,
                         uint8_t *headers, uint8_t room, struct iphc_headers *result) {
    struct iphc_work work = {link, data, headers, length, room, 0u, IPHC_OK};
    uint8_t source[8];
    uint8_t destination[8];
    uint32_t nested = 0u;
    *result = (struct iphc_headers){0u, 0u, 0u, 0u, 0u};
    if (length == 0u) {
        return IPHC_TRUNCATED;
    }
    if (data[0] == 0x41u) {
        return plain(data, length, size, result);
    }
    const uint32_t from = iphc_identifier(&link->source, source), to = iphc_identifier(&link->destination, destination);
    if (iphc_ipv6(&work, from != 0u ? source : 0, to != 0u ? destination : 0) != 0u) {
        nested = read_next(&work, result);
    }
    if (work.result != IPHC_OK) {
        return work.result;
    }
    const uint32_t whole = (uint32_t)work.made + work.left;
    const uint32_t total = size != 0u ? size : whole;
    if (whole > total) {
        return IPHC_SIZE;
    }
    result->consumed = (uint8_t)(length - work.left);
    result->made = work.made;
    if (headers == 0) {
        return IPHC_OK;
    }
    if (nested) {
        put16(headers + 4, total - IPHC_IPV6_BYTES);
    }
    put16(headers + result->ip + 4, total - result->ip - IPHC_IPV6_BYTES);
    if (result->udp != 0u) {
        put16(headers + result->udp + 4, total - result->udp);
    }
    return IPHC_OK;
}
