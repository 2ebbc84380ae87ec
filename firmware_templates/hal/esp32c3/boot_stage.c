/*
 * The first 8 bytes of flash: two equal marks, by which the ROM of the ESP32-C3 (chip revision v0.3 or later) knows
 * a program that runs from flash ("direct boot"). It shows flash at 0x42000000 and 0x3C000000 and jumps behind them.
 */
#include <stdint.h>

extern const uint32_t boot_marks[2];

__attribute__((used, section(".boot_stage"))) const uint32_t boot_marks[2] = {0xAEDB041Du, 0xAEDB041Du};
