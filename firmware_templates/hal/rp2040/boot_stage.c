/*
 * Second boot stage of the RP2040: the first 256 bytes of flash. The chip's ROM checks the checksum in the last
 * four of them, copies them to the end of RAM and jumps there; flash cannot be read by its address yet. The
 * build fills the checksum in.
 *
 * It reads the unique number of the flash chip (command 4Bh) into two scratch registers of the watchdog, which
 * only losing power clears, and lets flash be read by Fast Read Dual I/O (BBh) without its command from then on:
 * no setting inside the flash chip is needed for that. Then the application starts.
 *
 * Registers from the RP2040 datasheet, 4.10 (SSI) and 4.7 (watchdog); commands from the W25Q16JV datasheet.
 */
#include <stdint.h>

#include "board.h"

#define SSI 0x18000000
#define WATCHDOG 0x40058000
#define VECTORS 0x10000100

/* CTRLR0: two lines, frames of 32 bits, "EEPROM read": command and address, then data. */
#define DUAL_READ ((1 << 21) | (31 << 16) | (3 << 8))
/* SPI_CTRLR0: 32 bits of address and mode on two lines; the command of 8 bits on one line, or none. */
#define WITH_COMMAND ((8 << 2) | (2 << 8) | 1)
#define WITHOUT_COMMAND ((0xA0 << 24) | (8 << 2) | 2)

#define TEXT_OF(value) #value
#define TEXT(value) TEXT_OF(value)

void boot_stage(void);

__attribute__((naked, used, section(".boot_stage"))) void boot_stage(void) {
    __asm volatile(
        ".syntax unified\n"
        "ldr r3, =" TEXT(SSI) "\n"
        "ldr r4, =" TEXT(WATCHDOG) "\n"
        "movs r7, #0xF0\n"
        "add r7, r3\n"          /* RX_SAMPLE_DLY, and SPI_CTRLR0 behind it */
        "movs r6, #0\n"
        "str r6, [r3, #0x08]\n" /* SSIENR: off while it is set up */
        "movs r1, #4\n"
        "str r1, [r3, #0x14]\n" /* BAUDR: a quarter of the clock */
        "movs r1, #7\n"
        "lsls r1, #16\n"
        "str r1, [r3, #0x00]\n" /* CTRLR0: frames of 8 bits on one line, both directions */
        "movs r5, #1\n"
        "str r5, [r3, #0x10]\n" /* SER: the flash chip */
        "str r5, [r3, #0x08]\n"
        "movs r0, #0x4B\n"      /* the command, four bytes of no meaning, eight of the answer */
        "movs r2, #13\n"
        "1: str r0, [r3, #0x60]\n"
        "subs r2, #1\n"
        "bne 1b\n"
        "bl 6f\n"
        "movs r2, #5\n"
        "2: ldr r0, [r3, #0x60]\n"
        "subs r2, #1\n"
        "bne 2b\n"
        "movs r0, #2\n"
        "3: movs r2, #4\n"
        "4: lsrs r1, #8\n"
        "ldr r6, [r3, #0x60]\n"
        "lsls r6, #24\n"
        "orrs r1, r6\n"
        "subs r2, #1\n"
        "bne 4b\n"
        "str r1, [r4, #0x0C]\n" /* SCRATCH0, then SCRATCH1 */
        "adds r4, #4\n"
        "subs r0, #1\n"
        "bne 3b\n"
        "movs r6, #0\n"
        "str r6, [r3, #0x08]\n"
        "movs r1, #2\n"
        "str r1, [r3, #0x14]\n" /* half of the clock: 62.5 MHz of 104 */
        "str r5, [r7, #0x00]\n" /* the answer is taken a clock later */
        "ldr r1, =" TEXT(DUAL_READ) "\n"
        "str r1, [r3, #0x00]\n"
        "str r6, [r3, #0x04]\n" /* CTRLR1: one frame */
        "ldr r1, =" TEXT(WITH_COMMAND) "\n"
        "str r1, [r7, #0x04]\n"
        "str r5, [r3, #0x08]\n"
        "movs r1, #0xBB\n"
        "str r1, [r3, #0x60]\n"
        "movs r1, #0xA0\n"      /* address 0, and the mode in which the next reads have no command */
        "str r1, [r3, #0x60]\n"
        "bl 6f\n"
        "str r6, [r3, #0x08]\n"
        "ldr r1, =" TEXT(WITHOUT_COMMAND) "\n"
        "str r1, [r7, #0x04]\n"
        "str r5, [r3, #0x08]\n"
        "ldr r0, =" TEXT(VECTORS) "\n"
        "ldr r1, [r0]\n"
        "msr msp, r1\n"
        "ldr r1, [r0, #4]\n"
        "bx r1\n"
        "6: ldr r1, [r3, #0x28]\n" /* SR: until all is sent (TFE) and nothing moves (BUSY) */
        "movs r2, #5\n"
        "ands r1, r2\n"
        "cmp r1, #4\n"
        "bne 6b\n"
        "bx lr\n"
        ".ltorg\n"
        ".org 252\n"
        ".word 0\n"); /* the checksum */
}
