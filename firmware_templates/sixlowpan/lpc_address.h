/*
 * The link-layer address of a node.
 */
#ifndef TINYC_LPC_ADDRESS_H
#define TINYC_LPC_ADDRESS_H

#include <stdint.h>

/* Values of `kind`: how many bytes the address has. */
#define LPC_ADDRESS_ABSENT 0u
#define LPC_ADDRESS_SHORT 2u
#define LPC_ADDRESS_EXTENDED 8u

/* The most significant byte comes first, as in an interface identifier. The bytes past `kind` are 0. */
struct lpc_address {
    uint8_t bytes[8];
    uint8_t kind;
};

#endif
