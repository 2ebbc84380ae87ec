/*
 * The chip's flash, for bootloader and application. On a chip the HAL writes and plain loads read; with
 * FLASH_SIMULATED all four are functions of a simulation.
 */
#ifndef TINYC_FLASH_H
#define TINYC_FLASH_H

#include <stdint.h>

#define FLASH_BLANK 0xFFFFFFFFu

/*
 * A record of 16 bits beside their complement: whichever bits a torn write leaves out or a torn erase lifts, the
 * two halves no longer fit.
 */
static inline uint32_t code_word(uint32_t record) {
    return record | (~record & 0xFFFFu) << 16;
}

#ifdef FLASH_SIMULATED

/* Words at an aligned address, each at most once between two erases. */
void flash_write(uint32_t address, const uint32_t *words, uint32_t count);

/* The page that begins there. */
void flash_erase(uint32_t address);

/* A word as it reads now: a cell whose writing was cut may read differently each time. */
uint32_t flash_word(uint32_t address);

/* The bytes from there on, for long reads. */
const uint8_t *flash_at(uint32_t address);

#else

#include "hal.h"

static inline void flash_write(uint32_t address, const uint32_t *words, uint32_t count) {
    hal_flash_write(address, words, count);
}

static inline void flash_erase(uint32_t address) {
    hal_flash_erase(address);
}

static inline uint32_t flash_word(uint32_t address) {
    return *(const volatile uint32_t *)(uintptr_t)address;
}

static inline const uint8_t *flash_at(uint32_t address) {
    return (const uint8_t *)(uintptr_t)address;
}

#endif

#endif
