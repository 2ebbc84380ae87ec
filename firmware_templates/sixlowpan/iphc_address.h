/* Addresses of compressed headers: what a form says, for both ways. */
#ifndef IPHC_ADDRESS_H
#define IPHC_ADDRESS_H

#include "iphc.h"

/* 8 bytes from a link-layer address (RFC 6282, 3.2.2). Returns 0 for an absent one. */
uint32_t iphc_identifier(const struct lpc_address *address, uint8_t *identifier);

/* The unicast address of the forms 1 to 3; `context` null for a link-local one. Form 3 needs `identifier`. */
void iphc_unicast(const struct iphc_context *context, uint32_t form, const uint8_t *carried,
                  const uint8_t *identifier, uint8_t *address);

/* The multicast address of a form. A context longer than 64 bits has none: the caller looks. */
void iphc_multicast(const struct iphc_context *context, uint32_t form, const uint8_t *carried,
                    uint8_t *address);

#endif
