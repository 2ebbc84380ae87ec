/* The IPv6 header of a compressed one (RFC 6282, 3.1 and 3.2). */
#include <string.h>

#include "iphc_address.h"
#include "iphc_work.h"

static const uint8_t hop_limits[4] = {0u, 1u, 64u, 255u};
static const uint8_t carried_unicast[4] = {16u, 8u, 2u, 0u};
static const uint8_t carried_multicast[4] = {16u, 6u, 4u, 1u};
static const uint8_t carried_traffic[4] = {4u, 3u, 1u, 0u};

static const struct iphc_context *context_of(struct iphc_work *work, uint32_t number) {
    for (uint32_t i = 0; i < work->link->context_count; i++) {
        if (work->link->contexts[i].number == number) {
            return &work->link->contexts[i];
        }
    }
    work->result = IPHC_CONTEXT;
    return 0;
}

/* The first 4 bytes. */
static void put_traffic(uint32_t form, const uint8_t *carried, uint8_t *header) {
    const uint32_t ecn = form < 3u ? (uint32_t)carried[0] >> 6 : 0u;
    const uint32_t dscp = form == 0u || form == 2u ? carried[0] & 63u : 0u;
    const uint8_t *const flow = carried + 1u - form;
    header[0] = (uint8_t)(0x60u | dscp >> 2);
    header[1] = (uint8_t)((dscp & 3u) << 6 | ecn << 4 | (form < 2u ? flow[0] & 15u : 0u));
    header[2] = form < 2u ? flow[1] : 0u;
    header[3] = form < 2u ? flow[2] : 0u;
}

/* The addresses go to `address`, unless it is null. Returns 0 for what is wrong. */
static uint32_t read_unicast(struct iphc_work *work, uint32_t form, uint32_t number, const uint8_t *identifier,
                             uint8_t *address) {
    const struct iphc_context *context = 0;
    if ((form & 3u) != 0u && (form & 4u) != 0u) {
        context = context_of(work, number);
        if (context == 0) {
            return 0u;
        }
    }
    const uint8_t *const carried = iphc_take(work, carried_unicast[form & 3u]);
    if (carried == 0) {
        return 0u;
    }
    if ((form & 3u) == 3u && identifier == 0) {
        work->result = IPHC_ADDRESS;
        return 0u;
    }
    if (address != 0 && (form & 3u) == 0u) {
        memcpy(address, carried, 16u);
    } else if (address != 0) {
        iphc_unicast(context, form & 3u, carried, identifier, address);
    }
    return 1u;
}

static uint32_t read_destination(struct iphc_work *work, uint32_t form, uint32_t number, const uint8_t *identifier,
                                 uint8_t *address) {
    const struct iphc_context *context = 0;
    uint32_t count = carried_multicast[form & 3u];
    if ((form & 8u) == 0u) {
        if ((form & 7u) == 4u) {
            work->result = IPHC_RESERVED;
            return 0u;
        }
        return read_unicast(work, form, number, identifier, address);
    }
    if ((form & 4u) != 0u) {
        if ((form & 3u) != 0u) {
            work->result = IPHC_RESERVED;
            return 0u;
        }
        context = context_of(work, number);
        if (context == 0) {
            return 0u;
        }
        count = 6u;
    }
    const uint8_t *const carried = iphc_take(work, count);
    if (carried == 0) {
        return 0u;
    }
    if (context != 0 && context->length > 64u) {
        work->result = IPHC_CONTEXT;
        return 0u;
    }
    if (address != 0) {
        iphc_multicast(context, form & 3u, carried, address);
    }
    return 1u;
}

uint32_t iphc_ipv6(struct iphc_work *work, const uint8_t *source, const uint8_t *destination) {
    uint8_t *const header = work->headers == 0 ? 0 : work->headers + work->made;
    uint32_t numbers = 0u;
    uint8_t following = 0u;
    const uint8_t *const base = iphc_take(work, 2u);
    if (base == 0) {
        return 0u;
    }
    if (base[0] >> 5 != 3u) {
        work->result = IPHC_DISPATCH;
        return 0u;
    }
    if (iphc_make(work, IPHC_IPV6_BYTES) == 0u) {
        return 0u;
    }
    if ((base[1] & 0x80u) != 0u) {
        const uint8_t *const both = iphc_take(work, 1u);
        if (both == 0) {
            return 0u;
        }
        numbers = *both;
    }
    const uint32_t form = (uint32_t)base[0] >> 3 & 3u;
    const uint8_t *const carried = iphc_take(work, carried_traffic[form]);
    if (carried == 0) {
        return 0u;
    }
    if ((base[0] & 4u) == 0u) {
        const uint8_t *const next = iphc_take(work, 1u);
        if (next == 0) {
            return 0u;
        }
        following = *next;
    }
    const uint8_t *limit = hop_limits + (base[0] & 3u);
    if ((base[0] & 3u) == 0u) {
        limit = iphc_take(work, 1u);
        if (limit == 0) {
            return 0u;
        }
    }
    if (header != 0) {
        put_traffic(form, carried, header);
        header[4] = 0u;
        header[5] = 0u;
        header[6] = following;
        header[7] = *limit;
    }
    if ((base[1] & 0x70u) != 0x40u) {
        if (!read_unicast(work, (uint32_t)base[1] >> 4 & 7u, numbers >> 4, source, header == 0 ? 0 : header + 8)) {
            return 0u;
        }
    } else if (header != 0) {
        memset(header + 8, 0, 16u);
    }
    if (!read_destination(work, base[1] & 15u, numbers & 15u, destination, header == 0 ? 0 : header + 24)) {
        return 0u;
    }
    return (uint32_t)base[0] >> 2 & 1u;
}
