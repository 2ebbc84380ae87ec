/*
 * The compressor of IPv6 headers (RFC 6282). A form of an address is taken only if what the decompressor
 * would make of it is that address. If not all headers fit, it tries again with one header less.
 */
#include <string.h>

#include "iphc.h"
#include "iphc_address.h"

#define IPV6 41u
#define UDP 17u
#define ROUTING 43u
#define IPV6_BYTES 40u

struct writer {
    uint8_t *out;
    uint8_t room;
    uint8_t made;
    uint8_t full; /* something did not fit */
};

struct form {
    uint8_t code;
    uint8_t context;
    uint8_t length; /* bytes in-line */
    uint8_t carried[16];
};

static void put(struct writer *writer, const uint8_t *data, uint32_t length) {
    if (length > (uint32_t)writer->room - writer->made) {
        writer->full = 1u;
        return;
    }
    memcpy(writer->out + writer->made, data, length);
    writer->made = (uint8_t)(writer->made + length);
}

static void put_byte(struct writer *writer, uint32_t value) {
    const uint8_t byte = (uint8_t)value;
    put(writer, &byte, 1u);
}

static uint32_t get16(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

/* The shortest form that says this address. */
static void unicast_form(const struct iphc_link *link, const uint8_t *address, const uint8_t *identifier,
                         struct form *form) {
    static const uint8_t lengths[4] = {16u, 8u, 2u, 0u};
    uint8_t made[16];
    for (uint32_t mode = 3u; mode > 0u; mode--) {
        const uint8_t *const carried = address + 16 - lengths[mode];
        if (mode == 3u && identifier == 0) {
            continue;
        }
        for (uint32_t i = 0; i <= link->context_count; i++) {
            const struct iphc_context *const context = i == 0u ? 0 : &link->contexts[i - 1u];
            iphc_unicast(context, mode, carried, identifier, made);
            if (memcmp(made, address, 16u) == 0) {
                form->code = (uint8_t)(mode | (context != 0 ? 4u : 0u));
                form->context = context != 0 ? context->number : 0u;
                form->length = lengths[mode];
                memcpy(form->carried, carried, form->length);
                return;
            }
        }
    }
    form->code = 0u;
    form->context = 0u;
    form->length = 16u;
    memcpy(form->carried, address, 16u);
}

static void multicast_form(const struct iphc_link *link, const uint8_t *address, struct form *form) {
    static const uint8_t lengths[4] = {16u, 6u, 4u, 1u};
    uint8_t made[16];
    form->context = 0u;
    for (uint32_t mode = 3u; mode > 0u; mode--) {
        const uint32_t tail = mode == 3u ? 1u : lengths[mode] - 1u;
        form->carried[0] = address[1];
        memcpy(form->carried + lengths[mode] - tail, address + 16u - tail, tail);
        iphc_multicast(0, mode, form->carried, made);
        if (memcmp(made, address, 16u) == 0) {
            form->code = (uint8_t)(8u | mode);
            form->length = lengths[mode];
            return;
        }
    }
    memcpy(form->carried, address + 1, 2u);
    memcpy(form->carried + 2, address + 12, 4u);
    for (uint32_t i = 0; i < link->context_count; i++) {
        if (link->contexts[i].length > 64u) {
            continue;
        }
        iphc_multicast(&link->contexts[i], 0u, form->carried, made);
        if (memcmp(made, address, 16u) == 0) {
            form->code = 12u;
            form->context = link->contexts[i].number;
            form->length = 6u;
            return;
        }
    }
    form->code = 8u;
    form->length = 16u;
    memcpy(form->carried, address, 16u);
}

static void put_traffic(struct writer *writer, const uint8_t *header, uint32_t *form) {
    const uint32_t dscp = ((uint32_t)header[0] & 15u) << 2 | header[1] >> 6;
    const uint32_t ecn = (uint32_t)header[1] >> 4 & 3u;
    const uint32_t high = header[1] & 15u;
    const uint32_t flow = high | header[2] | header[3];
    if (flow != 0u) {
        *form = dscp != 0u ? 0u : 1u;
        if (dscp != 0u) {
            put_byte(writer, ecn << 6 | dscp);
            put_byte(writer, high);
        } else {
            put_byte(writer, ecn << 6 | high);
        }
        put(writer, header + 2, 2u);
    } else if ((dscp | ecn) != 0u) {
        *form = 2u;
        put_byte(writer, ecn << 6 | dscp);
    } else {
        *form = 3u;
    }
}

/* IPHC for an IPv6 header; `more`: the header behind it is compressed too. */
static void put_ipv6(struct writer *writer, const struct iphc_link *link, const uint8_t *header,
                     const uint8_t *source, const uint8_t *destination, uint32_t more) {
    static const uint8_t none[16] = {0u};
    struct form from = {4u, 0u, 0u, {0u}};
    struct form to;
    uint8_t base[3];
    uint8_t traffic[4];
    struct writer aside = {traffic, 4u, 0u, 0u};
    uint32_t traffic_form = 0u;
    const uint8_t limit = header[7];
    const uint32_t limit_form = limit == 1u ? 1u : limit == 64u ? 2u : limit == 255u ? 3u : 0u;
    if (memcmp(header + 8, none, 16u) != 0) {
        unicast_form(link, header + 8, source, &from);
    }
    if (header[24] == 0xFFu) {
        multicast_form(link, header + 24, &to);
    } else {
        unicast_form(link, header + 24, destination, &to);
    }
    put_traffic(&aside, header, &traffic_form);
    base[0] = (uint8_t)(0x60u | traffic_form << 3 | (more ? 4u : 0u) | limit_form);
    base[1] = (uint8_t)((uint32_t)from.code << 4 | to.code);
    base[2] = (uint8_t)((uint32_t)from.context << 4 | to.context);
    if (base[2] != 0u) {
        base[1] |= 0x80u;
    }
    put(writer, base, base[2] != 0u ? 3u : 2u);
    put(writer, traffic, aside.made);
    if (!more) {
        put(writer, header + 6, 1u);
    }
    if (limit_form == 0u) {
        put(writer, &limit, 1u);
    }
    put(writer, from.carried, from.length);
    put(writer, to.carried, to.length);
}

static uint32_t is_ipv6(const uint8_t *header, uint32_t size) {
    return header[0] >> 4 == 6u && get16(header + 4) + IPV6_BYTES == size;
}

/* The identifier of an extension header that is compressed, 255 for others. */
static uint32_t extension_of(uint32_t protocol) {
    switch (protocol) {
        case 0u:
            return 0u;
        case ROUTING:
            return 1u;
        case 60u:
            return 3u;
        case 135u:
            return 4u;
        default:
            return 255u;
    }
}

/* Bytes of the header `protocol` at `header` if NHC can say it and it is here as a whole, else 0. `here`:
 * bytes given from there on, `size`: bytes of the datagram from there on. */
static uint32_t compressible(const uint8_t *header, uint32_t here, uint32_t size, uint32_t protocol,
                             uint32_t nested) {
    if (protocol == UDP) {
        return here >= 8u && get16(header + 4) == size ? 8u : 0u;
    }
    if (protocol == IPV6) {
        return !nested && here >= IPV6_BYTES && is_ipv6(header, size) ? IPV6_BYTES : 0u;
    }
    if (extension_of(protocol) == 255u || here < 8u) {
        return 0u;
    }
    const uint32_t length = 8u * header[1] + 8u;
    return length <= here && length <= 257u ? length : 0u;
}

/* Bytes of the last option of an extension header if the receiver would restore just these, else 0. */
static uint32_t trailing_padding(const uint8_t *header, uint32_t length) {
    uint32_t at = 2u;
    uint32_t last = 2u;
    while (at < length) {
        last = at;
        if (header[at] == 0u) {
            at += 1u;
        } else if (at + 1u < length) {
            at += 2u + header[at + 1u];
        } else {
            return 0u;
        }
    }
    if (at != length || length - last > 7u || header[last] > 1u) {
        return 0u;
    }
    for (uint32_t i = last + 2u; i < length; i++) {
        if (header[i] != 0u) {
            return 0u;
        }
    }
    return length - last;
}

static void put_extension(struct writer *writer, const uint8_t *header, uint32_t length, uint32_t protocol,
                          uint32_t more) {
    uint32_t end = length;
    if (protocol == 0u || protocol == 60u) {
        end -= trailing_padding(header, length);
    }
    put_byte(writer, 0xE0u | extension_of(protocol) << 1 | more);
    if (!more) {
        put(writer, header, 1u);
    }
    put_byte(writer, end - 2u);
    put(writer, header + 2, end - 2u);
}

static void put_udp(struct writer *writer, const uint8_t *header, uint32_t elide) {
    const uint32_t code = elide ? 0xF4u : 0xF0u;
    const uint32_t near = header[0] == 0xF0u;
    const uint32_t far = header[2] == 0xF0u;
    if (near && far && header[1] >> 4 == 0xBu && header[3] >> 4 == 0xBu) {
        put_byte(writer, code | 3u);
        put_byte(writer, ((uint32_t)header[1] & 15u) << 4 | (header[3] & 15u));
    } else if (far) {
        put_byte(writer, code | 1u);
        put(writer, header, 2u);
        put(writer, header + 3, 1u);
    } else if (near) {
        put_byte(writer, code | 2u);
        put(writer, header + 1, 3u);
    } else {
        put_byte(writer, code);
        put(writer, header, 4u);
    }
    if (!elide) {
        put(writer, header + 6, 2u);
    }
}

/* At most `most` headers behind the first one compressed. Returns 0 if there is no room. */
static uint32_t attempt(const struct iphc_link *link, const uint8_t *headers, uint8_t length, uint32_t size,
                        uint32_t most, struct writer *writer, struct iphc_headers *result) {
    uint8_t from[8];
    uint8_t to[8];
    const uint8_t *source = iphc_identifier(&link->source, from) ? from : 0;
    const uint8_t *destination = iphc_identifier(&link->destination, to) ? to : 0;
    uint32_t at = 0u;
    uint32_t protocol = IPV6;
    uint32_t count = IPV6_BYTES;
    uint32_t nested = 0u;
    uint32_t routed = 0u;
    memset(result, 0, sizeof *result);
    while (count != 0u) {
        const uint8_t *const header = headers + at;
        const uint32_t behind = at + count;
        const uint32_t following = protocol == IPV6 ? header[6] : header[0];
        uint32_t next = 0u;
        if (protocol == IPV6 && at != 0u) {
            nested = 1u;
        }
        if (most != 0u && protocol != UDP) {
            next = compressible(headers + behind, length - behind, size - behind, following, nested);
            most--;
        }
        if (protocol == UDP) {
            result->elided = link->elided && !routed;
            result->udp = (uint8_t)at;
            put_udp(writer, header, result->elided);
        } else if (protocol == IPV6) {
            if (at != 0u) {
                result->ip = (uint8_t)at;
                put_byte(writer, 0xEEu);
                source = headers + 16;
                destination = headers + 32;
            }
            put_ipv6(writer, link, header, source, destination, next != 0u);
        } else {
            routed |= protocol == ROUTING;
            put_extension(writer, header, count, protocol, next != 0u);
        }
        at = behind;
        protocol = following;
        count = next;
    }
    result->consumed = (uint8_t)at;
    result->made = writer->made;
    return !writer->full;
}

uint32_t iphc_compress(const struct iphc_link *link, const uint8_t *headers, uint8_t length, uint16_t size,
                       uint8_t *out, uint8_t room, struct iphc_headers *result) {
    const uint32_t total = size != 0u ? size : length;
    memset(result, 0, sizeof *result);
    if (length < IPV6_BYTES) {
        return IPHC_TRUNCATED;
    }
    if (headers[0] >> 4 != 6u) {
        return IPHC_DISPATCH;
    }
    if (length > total || !is_ipv6(headers, total)) {
        return IPHC_SIZE;
    }
    for (uint32_t less = 0; less <= IPHC_NHC_MOST; less++) {
        struct writer writer = {out, room, 0u, 0u};
        if (attempt(link, headers, length, total, IPHC_NHC_MOST - less, &writer, result)) {
            return IPHC_OK;
        }
    }
    return IPHC_ROOM;
}
