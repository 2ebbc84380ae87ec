/*
 * Compressed IPv6 headers (RFC 6282): IPHC and NHC, both ways. Only headers are touched: what follows
 * them is carried as it is.
 */
#ifndef IPHC_H
#define IPHC_H

#include <stdint.h>

#include "lpc_address.h"

/* What a receiver keeps for headers: two IPv6 headers, extensions and UDP. */
#define IPHC_HEADERS_ROOM 128u
/* Headers behind the first that a sender compresses. */
#define IPHC_NHC_MOST 4u

enum iphc_result {
    IPHC_OK,
    IPHC_TRUNCATED, /* the bytes end inside a header */
    IPHC_DISPATCH,  /* not IPv6, neither compressed nor plain */
    IPHC_RESERVED,  /* a form without a meaning */
    IPHC_CONTEXT,   /* a context that is not known here, or that does not fit the form */
    IPHC_ADDRESS,   /* an address derived from one that the frame does not have */
    IPHC_EXTENSION, /* an extension header that is not whole, or nested too deep */
    IPHC_CHECKSUM,  /* an elided UDP checksum that was not agreed upon */
    IPHC_ROOM,      /* more headers than there is room for */
    IPHC_SIZE       /* lengths that contradict one another */
};

/* The first `length` bits of `prefix`, known to all nodes as `number` (0 to 15). */
struct iphc_context {
    uint8_t number;
    uint8_t length; /* 0 to 128 */
    uint8_t prefix[16];
};

/* What both ends know: the frame's addresses, the contexts, whether UDP checksums may be left out. */
struct iphc_link {
    struct lpc_address source;
    struct lpc_address destination;
    const struct iphc_context *contexts;
    uint8_t context_count;
    uint8_t elided;
};

struct iphc_headers {
    uint8_t consumed; /* bytes of the input that the headers made replace */
    uint8_t made;     /* bytes of headers made */
    uint8_t ip;       /* where the innermost IPv6 header is among the uncompressed ones */
    uint8_t udp;      /* where UDP is, 0 for none */
    uint8_t elided;   /* its checksum is zero and must be computed over the whole datagram */
};

/*
 * The headers at the start of `data`, which begins with the dispatch byte. `size` is the datagram's as the
 * fragment header says, 0 for a datagram in one frame. A plain IPv6 header (0x41) is left where it is: one
 * byte consumed, nothing made. Returns an iphc_result; `result` counts only with IPHC_OK. With `headers` null
 * they are not made but measured.
 */
uint32_t iphc_decompress(const struct iphc_link *link, const uint8_t *data, uint8_t length, uint16_t size,
                         uint8_t *headers, uint8_t room, struct iphc_headers *result);

/*
 * What replaces the first `consumed` bytes of a datagram of `size` bytes, at most `room` bytes in `out`.
 * `headers` are its first `length` bytes. A header that is not whole there, or for which there is no room,
 * stays uncompressed. With `elided` in the link a UDP checksum is left out where that is allowed: the caller
 * answers for its being right. Returns an iphc_result.
 */
uint32_t iphc_compress(const struct iphc_link *link, const uint8_t *headers, uint8_t length, uint16_t size,
                       uint8_t *out, uint8_t room, struct iphc_headers *result);

/* The sum of the Internet checksum over `data`, added to `sum`; `odd`: the bytes begin inside a pair. */
uint32_t iphc_sum(uint32_t sum, const uint8_t *data, uint16_t length, uint32_t odd);

/* The sum in 16 bits. */
uint16_t iphc_fold(uint32_t sum);

/* The UDP checksum from the sum over pseudo header, header and payload. */
uint16_t iphc_udp_checksum(uint32_t sum);

/* The sum over the pseudo header and the UDP header, its checksum counted as zero. */
uint32_t iphc_udp_start(const uint8_t *headers, uint8_t ip, uint8_t udp, uint16_t size);

#endif
