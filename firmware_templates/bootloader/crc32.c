/*
 * CRC-32, bit by bit.
 */
#include "crc32.h"

uint32_t crc32(uint32_t before, const void *data, uint32_t size) {
    const uint8_t *const bytes = data;
    uint32_t crc = ~before;
    for (uint32_t i = 0u; i < size; i++) {
        crc ^= bytes[i];
        for (uint32_t bit = 0u; bit < 8u; bit++) {
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}
