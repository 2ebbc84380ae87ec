/* The decompressor at work: bytes are taken and made here alone, and here are the bounds of both. */
#ifndef IPHC_WORK_H
#define IPHC_WORK_H

#include "iphc.h"

#define IPHC_IPV6_BYTES 40u

struct iphc_work {
    const struct iphc_link *link;
    const uint8_t *data;
    uint8_t *headers; /* null: they are only measured */
    uint8_t left;     /* bytes of data that are not taken */
    uint8_t room;
    uint8_t made;
    uint8_t result;
};

/* The next bytes of the input, null where it ends first. */
static inline const uint8_t *iphc_take(struct iphc_work *work, uint32_t count) {
    const uint8_t *const at = work->data;
    if (count > work->left) {
        work->result = IPHC_TRUNCATED;
        return 0;
    }
    work->data = at + count;
    work->left = (uint8_t)(work->left - count);
    return at;
}

/* So many bytes of headers: 0 where there is no room for them. Where they go is headers + made before. */
static inline uint32_t iphc_make(struct iphc_work *work, uint32_t count) {
    if (count > (uint32_t)work->room - work->made) {
        work->result = IPHC_ROOM;
        return 0u;
    }
    work->made = (uint8_t)(work->made + count);
    return 1u;
}

/*
 * Makes an IPv6 header whose length and, if that is compressed, next header are zero. The identifiers are those of
 * the frame's addresses or of the header around it; null for an absent one. Returns 1 if the next header is
 * compressed, else 0.
 */
uint32_t iphc_ipv6(struct iphc_work *work, const uint8_t *source, const uint8_t *destination);

#endif
