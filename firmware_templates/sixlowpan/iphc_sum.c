/* The UDP checksum over IPv6 (RFC 8200, 8.1), in parts. */
#include "iphc.h"

#include "lpc_words.h"

uint16_t iphc_fold(uint32_t sum) {
    sum = (sum & 0xFFFFu) + (sum >> 16);
    return (uint16_t)((sum & 0xFFFFu) + (sum >> 16));
}

uint32_t iphc_sum(uint32_t sum, const uint8_t *data, uint16_t length, uint32_t odd) {
    /* Of 32 bits at a time, with their bytes the other way round: folded, it is the same sum (RFC 1071, 2). */
    uint64_t wide = 0u;
    uint32_t left = length;
    if (odd != 0u && left != 0u) {
        wide += (uint32_t)*data++ << 8;
        left--;
    }
    for (; left >= 16u; left -= 16u, data += 16) {
        wide += lpc_word_at(data);
        wide += lpc_word_at(data + 4);
        wide += lpc_word_at(data + 8);
        wide += lpc_word_at(data + 12);
    }
    for (; left >= 4u; left -= 4u, data += 4) {
        wide += lpc_word_at(data);
    }
    for (uint32_t i = 0u; i < left; i++) {
        wide += (i & 1u) != 0u ? (uint32_t)data[i] << 8 : data[i];
    }
    const uint32_t low = (uint32_t)wide, high = (uint32_t)(wide >> 32); /* less than 2**16 of them */
    const uint32_t folded = iphc_fold((low & 0xFFFFu) + (low >> 16) + high);
    return sum + ((folded & 0xFFu) << 8 | folded >> 8);
}

uint16_t iphc_udp_checksum(uint32_t sum) {
    const uint16_t folded = iphc_fold(sum);
    return (uint16_t)(folded == 0xFFFFu ? folded : ~folded);
}

uint32_t iphc_udp_start(const uint8_t *headers, uint8_t ip, uint8_t udp, uint16_t size) {
    const uint32_t sum = iphc_sum((uint32_t)size - udp + 17u, headers + ip + 8, 32u, 0u);
    return iphc_sum(sum, headers + udp, 6u, 0u);
}
