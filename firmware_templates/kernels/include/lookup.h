#ifndef TINYC_LOOKUP_H
#define TINYC_LOOKUP_H

#include <stdint.h>

/* y[i] = table[byte of x[i]]: any operator with one 8-bit input and one 8-bit output */
struct tinyc_lookup {
    int32_t count;
    const uint8_t *table; /* 256 entries */
};

#endif
