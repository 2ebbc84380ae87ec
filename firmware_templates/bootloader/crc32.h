/*
 * CRC-32 (ISO 3309, as in Ethernet), without a table: for a few words.
 */
#ifndef TINYC_CRC32_H
#define TINYC_CRC32_H

#include <stdint.h>

/* The CRC of `size` bytes behind those that gave `before`; 0 where there were none. */
uint32_t crc32(uint32_t before, const void *data, uint32_t size);

#endif
