/*
 * The last check of a datagram. Its headers are expanded; then the checksum of UDP, TCP or ICMPv6 is verified. In
 * legacy nothing else tells a datagram from a mix of two, so one without a checksum that can be verified is refused
 * there: of another protocol, with its checksum elided, in an IPv6 fragment, or on its way to another node.
 */
#include "lpc_datagram.h"

#include <string.h>

#define IPV6_BYTES 40u
#define HEADERS 8u /* so many at most between the link and the upper layer */

enum protocol { HOP_BY_HOP = 0, TCP = 6, UDP = 17, IPV6 = 41, ROUTING = 43, ICMPV6 = 58, DESTINATION = 60 };

uint32_t lpc_copy(const struct lpc_datagram *datagram, uint16_t offset, void *to, uint16_t length) {
    struct lpc_datagram it = *datagram;
    uint8_t *const out = to;
    const uint8_t *piece = it.header;
    uint8_t piece_length = it.header_length;
    uint32_t start = 0u, done = 0u;
    if ((uint32_t)offset + length > it.size) {
        return 0u;
    }
    while (piece != 0 && done < length) {
        const uint32_t at = offset + done - start; /* the next byte's place in the piece */
        if (at < piece_length) {
            const uint32_t here = piece_length - at, left = length - done, part = here < left ? here : left;
            memcpy(out + done, piece + at, part);
            done += part;
        }
        start += piece_length;
        piece = lpc_piece(&it, &piece_length);
    }
    return done == length;
}

/* The bytes from an offset on, where they lie or in `room` if they lie apart; 0 if there are not so many. */
static const uint8_t *view(const struct lpc_datagram *datagram, uint32_t offset, uint32_t length, uint8_t *room) {
    if (offset + length <= datagram->header_length) {
        return datagram->header + offset;
    }
    if (offset >= datagram->header_length &&
        offset + length <= (uint32_t)datagram->header_length + datagram->rest_length) {
        return datagram->rest + (offset - datagram->header_length);
    }
    return lpc_copy(datagram, (uint16_t)offset, room, (uint16_t)length) != 0u ? room : 0;
}

/* Over the bytes behind the first fragment that are before `to`; both are even. */
static uint32_t sum_until(struct lpc_datagram it, uint32_t to) {
    uint32_t start = (uint32_t)it.header_length + it.rest_length, sum = 0u;
    uint8_t length = 0u;
    it.rest_length = 0u;
    for (const uint8_t *piece = lpc_piece(&it, &length); piece != 0 && start < to; piece = lpc_piece(&it, &length)) {
        sum = iphc_sum(sum, piece, to - start < length ? (uint16_t)(to - start) : length, 0u);
        start += length;
    }
    return iphc_fold(sum);
}

static uint32_t number(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* Finds the upper layer. Returns the sum over its pseudo header (RFC 8200, 8.1), 0 where lengths do not fit. */
static uint32_t find_upper(struct lpc_datagram *datagram) {
    uint8_t room[IPV6_BYTES], protocol = IPV6;
    uint32_t at = 0u, addresses = 0u;
    for (uint32_t i = 0u; i <= HEADERS; i++) {
        const uint32_t left = datagram->size - at;
        datagram->protocol = protocol;
        datagram->upper = (uint16_t)at;
        if (protocol == IPV6) {
            const uint8_t *const header = view(datagram, at, IPV6_BYTES, room);
            if (header == 0 || number(header + 4) != left - IPV6_BYTES) {
                return 0u;
            }
            addresses = iphc_sum(0u, header + 8, 32u, 0u);
            protocol = header[6];
            at += IPV6_BYTES;
        } else if (protocol == HOP_BY_HOP || protocol == ROUTING || protocol == DESTINATION) {
            const uint8_t *const header = view(datagram, at, 4u, room);
            if (header == 0 || 8u * (header[1] + 1u) > left) {
                return 0u;
            }
            if (protocol == ROUTING && header[3] != 0u) {
                return addresses + left + protocol; /* UDP's sum is over the address where its way ends */
            }
            protocol = header[0];
            at += 8u * (header[1] + 1u);
        } else {
            return addresses + left + protocol;
        }
    }
    return 0u;
}

/* Over the upper layer, with that of the pseudo header: 0xFFFF if it is right. `sum` is of what is behind the first
 * fragment. */
static uint16_t upper_sum(const struct lpc_datagram *datagram, uint32_t pseudo, uint16_t sum) {
    const uint32_t begins = (uint32_t)datagram->header_length + datagram->rest_length;
    uint32_t at = datagram->upper, all = pseudo + sum;
    if (at > begins) {
        return iphc_fold(all + 0xFFFFu - sum_until(*datagram, at));
    }
    if (at < datagram->header_length) {
        all = iphc_sum(all, datagram->header + at, (uint16_t)(datagram->header_length - at), 0u);
        at = datagram->header_length;
    }
    return iphc_fold(iphc_sum(all, datagram->rest + (at - datagram->header_length), (uint16_t)(begins - at), 0u));
}

struct iphc_link lpc_datagram_link(const struct lpc_address *source, const struct lpc_address *destination,
                                   uint32_t vouched) {
    struct iphc_link link = lpc_link;
    link.source = *source;
    link.destination = *destination;
    link.elided = link.elided != 0u && vouched != 0u;
    return link;
}

uint32_t lpc_datagram_check(struct lpc_datagram *datagram, const uint8_t *content, uint8_t length, uint32_t one_frame,
                            uint16_t sum, uint8_t headers[IPHC_HEADERS_ROOM]) {
    const uint32_t vouched = one_frame != 0u || datagram->mode != LPC_LEGACY;
    const struct iphc_link link = lpc_datagram_link(&datagram->source, &datagram->destination, vouched);
    struct iphc_headers result;
    uint8_t room[8];
    if (iphc_decompress(&link, content, length, one_frame != 0u ? 0u : datagram->size, headers, IPHC_HEADERS_ROOM,
                        &result) != IPHC_OK) {
        return LPC_BAD_IPHC;
    }
    if (result.made == 0u) { /* IPv6 as it is */
        memcpy(headers, content + 1, IPV6_BYTES);
        result.consumed = 1u + IPV6_BYTES;
        result.made = IPV6_BYTES;
    }
    datagram->header = headers;
    datagram->header_length = result.made;
    datagram->rest = content + result.consumed;
    datagram->rest_length = (uint8_t)(length - result.consumed);
    if (one_frame != 0u) {
        datagram->size = (uint16_t)(result.made + datagram->rest_length);
    }
    const uint32_t pseudo = find_upper(datagram);
    if (pseudo == 0u) {
        return LPC_BAD_IPHC;
    }
    if (datagram->protocol == UDP) {
        const uint8_t *const udp = view(datagram, datagram->upper, sizeof room, room);
        if (udp == 0 || number(udp + 4) != (uint32_t)datagram->size - datagram->upper) {
            return LPC_BAD_IPHC;
        }
        if (result.elided != 0u) {
            const uint16_t made = iphc_udp_checksum(upper_sum(datagram, pseudo, sum));
            headers[result.udp + 6u] = (uint8_t)(made >> 8);
            headers[result.udp + 7u] = (uint8_t)(made & 0xFFu);
            return LPC_DELIVERED;
        }
        if (number(udp + 6) == 0u) {
            return LPC_BAD_SUM; /* IPv6 has no UDP without a checksum */
        }
    } else if (datagram->protocol != TCP && datagram->protocol != ICMPV6) {
        return vouched != 0u ? (uint32_t)LPC_DELIVERED : (uint32_t)LPC_BAD_SUM;
    }
    return upper_sum(datagram, pseudo, sum) == 0xFFFFu ? LPC_DELIVERED : LPC_BAD_SUM;
}
