/*
 * What only the bootloader asks of a chip. One implementation per SoC in hal/<soc>/boot_hal.c.
 */
#ifndef TINYC_BOOT_HAL_H
#define TINYC_BOOT_HAL_H

#include <stdint.h>

/* What makes the decision fast; the rest of the chip stays as reset left it. */
void boot_hal_init(void);

/* Whether the recovery button is held. */
uint32_t boot_hal_recovery_button(void);

/* No one writes or erases these bytes until the next reset. At most two calls. */
void boot_hal_protect(uint32_t address, uint32_t size);

/* Starts the program with this vector table. */
void boot_hal_start(uint32_t vectors);

#endif
