/* The sending half of lowpan_node.c: see lowpan_send.c. */
#ifndef TINYC_LOWPAN_SEND_H
#define TINYC_LOWPAN_SEND_H

#include "lowpan_node.h"

void lowpan_send_init(uint32_t seed);
/* Writes down how far the counters of the chains are, where they are kept. */
void lowpan_send_store(uint32_t now_ms);
/* Lets the next frame go where the radio is free. */
void lowpan_send_poll(struct lowpan_counters *counts);
/* LPC_SIZE_MAX bytes for a datagram that is made in place, 0 while one is on its way. */
uint8_t *lowpan_send_room(void);
/* The echo request behind the IPv6 header in the room goes back as an answer. */
uint32_t lowpan_send_icmp(const struct lowpan_ends *ends, uint8_t mode, uint16_t length);

#endif
