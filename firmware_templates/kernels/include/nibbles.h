/* Signed numbers of four bits, two in a byte, the first one in the low half. */
#ifndef TINYC_NIBBLES_H
#define TINYC_NIBBLES_H

#include <stdint.h>

/* Number `index` of those at `bytes`. */
TINYC_INLINE int32_t tinyc_nibble(const int8_t *bytes, int32_t index) {
    return (((bytes[index >> 1] >> 4 * (index & 1)) & 15) ^ 8) - 8;
}

#endif
