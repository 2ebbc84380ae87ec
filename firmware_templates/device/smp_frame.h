/*
 * SMP's framing for serial consoles. A packet is length, message and CRC, all big endian, in base64, cut
 * into lines: 06 09 begins the first, 04 14 the others, a line feed ends each.
 */
#ifndef TINYC_SMP_FRAME_H
#define TINYC_SMP_FRAME_H

#include <stdint.h>

#include "board.h"

/* The longest message. Length and CRC share the buffer with it. */
#define SMP_MESSAGE_BYTES (BOARD_SMP_BUFFER_BYTES - 4u)

/* Takes a received byte. Returns the length of the message that it completes, else 0. */
uint32_t smp_frame_feed(uint8_t byte);

/* The message, aligned for any number. It stays until the next byte is taken. */
uint8_t *smp_frame_message(void);

/* Frames that were damaged on the way and dropped. */
uint32_t smp_frame_dropped(void);

/* Between these two, whatever is sent is only measured; the second returns how much it was. */
void smp_frame_measure(void);
uint32_t smp_frame_measured(void);

/* Sends a message: its length first, then exactly so many bytes by cbor_sink(), then the end. */
void smp_frame_begin(uint32_t length);
void smp_frame_end(void);

#endif
