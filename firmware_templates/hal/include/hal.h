/*
 * What the firmware asks of a chip. One implementation per SoC in hal/<soc>/hal.c.
 */
#ifndef TINYC_HAL_H
#define TINYC_HAL_H

#include <stdint.h>

/* Clocks, serial port (115200 8N1) and cycle counter. Never waits for ever. */
void hal_init(void);

/* The next received byte; blocks until there is one. */
uint8_t hal_uart_read_byte(void);

/* Sends `size` bytes and returns when the port has taken them all. */
void hal_uart_write(const uint8_t *data, uint32_t size);

/* Starts the chip anew once everything has been sent. Does not return on a chip. */
void hal_reset(void);

/* CPU cycles since hal_init, modulo 2^32; always 0 on a chip that cannot count them. */
uint32_t hal_cycles(void);

/* The chip's unique number, or zeros when it has none. */
void hal_device_id(uint8_t id[8]);

#endif
