/*
 * Headers compressed and decompressed by the C of the firmware. Each request on stdin: what to do, the two
 * addresses (kind and 8 bytes), `elided`, contexts (count; 18 bytes each), size (2 bytes, little endian),
 * room, length (2 bytes), data. Answer: result, consumed, made, ip, udp, elided, and the bytes made.
 * All buffers have exactly the size that they are said to have, so that a sanitizer sees each byte beyond.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iphc.h"

static int read_all(void *into, size_t count) {
    return fread(into, 1, count, stdin) == count;
}

static uint8_t *bytes(size_t count) {
    uint8_t *const at = malloc(count + (count == 0));
    if (at == NULL) {
        exit(2);
    }
    memset(at, 0xA5, count);
    return at;
}

/* The checksum of a whole datagram, its payload in two pieces; `ip` and `udp` are given as size and room. */
static void checksum(const uint8_t *data, uint16_t length, uint8_t ip, uint8_t udp) {
    const uint16_t payload = (uint16_t)(length - udp - 8);
    const uint16_t first = (uint16_t)(payload / 3);
    uint32_t sum = iphc_udp_start(data, ip, udp, length);
    sum = iphc_sum(sum, data + udp + 8, first, 0);
    sum = iphc_sum(sum, data + udp + 8 + first, (uint16_t)(payload - first), first & 1u);
    const uint16_t value = iphc_udp_checksum(sum);
    putchar(value >> 8);
    putchar(value & 0xFF);
}

int main(void) {
    uint8_t what;
    while (read_all(&what, 1)) {
        struct iphc_link link = {0};
        uint8_t fixed[5];
        if (!read_all(&link.source.kind, 1) || !read_all(link.source.bytes, 8) ||
            !read_all(&link.destination.kind, 1) || !read_all(link.destination.bytes, 8) ||
            !read_all(&link.elided, 1) || !read_all(&link.context_count, 1)) {
            return 2;
        }
        struct iphc_context *const contexts = (struct iphc_context *)bytes(18u * link.context_count);
        if (!read_all(contexts, 18u * link.context_count) || !read_all(fixed, 5)) {
            return 2;
        }
        link.contexts = contexts;
        const uint16_t size = (uint16_t)(fixed[0] | fixed[1] << 8);
        const uint8_t room = fixed[2];
        const uint16_t length = (uint16_t)(fixed[3] | fixed[4] << 8);
        uint8_t *const data = bytes(length);
        uint8_t *const out = bytes(room);
        struct iphc_headers made = {0};
        uint32_t result = 0;
        if (!read_all(data, length)) {
            return 2;
        }
        if (what == 2) {
            checksum(data, length, (uint8_t)size, room);
        } else {
            result = what ? iphc_compress(&link, data, (uint8_t)length, size, out, room, &made)
                          : iphc_decompress(&link, data, (uint8_t)length, size, out, room, &made);
            const uint8_t answer[6] = {(uint8_t)result, made.consumed, made.made, made.ip, made.udp, made.elided};
            fwrite(answer, 1, sizeof answer, stdout);
            if (result == IPHC_OK) {
                fwrite(out, 1, made.made, stdout);
            }
        }
        free(out);
        free(data);
        free(contexts);
    }
    return 0;
}
