/*
 * What the firmware asks of a chip. One implementation per SoC in hal/<soc>/hal.c.
 */
#ifndef TINYC_HAL_H
#define TINYC_HAL_H

#include <stdint.h>

/* Clocks, serial port (8N1 at the board's rate) and cycle counter. Never waits for ever. */
void hal_init(void);

/* The next received byte; blocks until there is one. */
uint8_t hal_uart_read_byte(void);

/* Whether there is one. Only chips whose flash is written have this. */
uint32_t hal_uart_ready(void);

/* Turns the serial port off, for whoever starts another program. The same chips have it. */
void hal_uart_stop(void);

/* Sends `size` bytes of RAM and returns when the port has taken them all. 1 at least, 65535 at most. */
void hal_uart_write(const uint8_t *data, uint32_t size);

/* Starts the chip anew once everything has been sent. Does not return on a chip. */
void hal_reset(void);

/* CPU cycles since hal_init, modulo 2^32; always 0 on a chip that cannot count them. */
uint32_t hal_cycles(void);

/*
 * Programs words, of which each was erased before, and erases the page that begins at `address`. The core
 * stands still meanwhile, but nothing that comes over the serial port is lost. Only boards with slots.
 */
void hal_flash_write(uint32_t address, const uint32_t *words, uint32_t count);
void hal_flash_erase(uint32_t address);

/* The chip's unique number, or zeros when it has none. */
void hal_device_id(uint8_t id[8]);

#endif
