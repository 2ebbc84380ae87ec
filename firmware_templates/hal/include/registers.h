/*
 * Registers in memory, and helpers shared by all chips.
 */
#ifndef TINYC_REGISTERS_H
#define TINYC_REGISTERS_H

#include <stdint.h>

#include "board.h"

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Waits until all bits of `mask` are set, for a bounded time. Returns 1 when they are. */
static inline uint32_t wait_for_bits(uint32_t address, uint32_t mask) {
    for (uint32_t attempt = 0; attempt < 100000u; attempt++) {
        if ((REG32(address) & mask) == mask) {
            return 1u;
        }
    }
    return 0u;
}

/* Lets the port send what it has taken but does not tell about: two bytes of 10 bits, 3 cycles a turn. */
static inline void wait_for_two_bytes(void) {
    for (uint32_t turn = 0; turn < BOARD_CLOCK_HZ / BOARD_UART_BAUD * 20u / 3u; turn++) {
        __asm volatile("" ::: "memory");
    }
}

static inline void store_word(uint8_t *target, uint32_t word) {
    target[0] = (uint8_t)word;
    target[1] = (uint8_t)(word >> 8);
    target[2] = (uint8_t)(word >> 16);
    target[3] = (uint8_t)(word >> 24);
}

#endif
