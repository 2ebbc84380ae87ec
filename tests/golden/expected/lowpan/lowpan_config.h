/*
 * This node of the 6LoWPAN network. Generated, do not edit.
 */
#ifndef LOWPAN_CONFIG_H
#define LOWPAN_CONFIG_H

#define LOWPAN_PAN 0xbeefu
#define LOWPAN_CHANNEL 26u
/* dBm */
#define LOWPAN_POWER (-4)
/* Addresses, the most significant byte first, and how many bytes they have. */
#define LOWPAN_SHORT { {1, 2, 0, 0, 0, 0, 0, 0}, 2u}
#define LOWPAN_EXTENDED { {2, 18, 116, 0, 0, 0, 0, 1}, 8u}
/* Whether the extended one is the chip's number, and which of them frames come from. */
#define LOWPAN_EXTENDED_OF_CHIP 0
#define LOWPAN_SOURCE_IS_SHORT 0
/* Whether the counters of keyed chains outlive a restart, in two pages of flash from that address on. */
#define LOWPAN_STORES 1
#define LOWPAN_STORE_ADDRESS 0x000fc000u
/* The UDP port of inference. */
#define LOWPAN_PORT 61616u

#endif
