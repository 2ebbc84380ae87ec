#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* The RP2350 with its Cortex-M33, from its datasheet. */

/* External interrupts (3.2). */
#define SOC_INTERRUPTS 52u

#define SOC_CLOCKS 0x40010000u
#define SOC_PSM 0x40018000u
#define SOC_RESETS 0x40020000u
#define SOC_IO_BANK0 0x40028000u
#define SOC_PADS_BANK0 0x40038000u
#define SOC_XOSC 0x40048000u
#define SOC_PLL_SYS 0x40050000u
#define SOC_UART0 0x40070000u
#define SOC_WATCHDOG 0x400D8000u

/* Bits of RESETS. */
#define SOC_RESET_IO_BANK0 (1u << 6)
#define SOC_RESET_PADS_BANK0 (1u << 9)
#define SOC_RESET_PLL_SYS (1u << 14)
#define SOC_RESET_UART0 (1u << 26)

/* Bits of PSM.WDSEL: all but the two oscillators. */
#define SOC_RESET_ALL 0x1FFFFF3u

/* 150 MHz: 1500 MHz, by 5, by 2. */
#define SOC_VCO_HZ 1500000000u
#define SOC_POSTDIV1 5u
#define SOC_POSTDIV2 2u

/* CHIPID0 to CHIPID3 of the one-time programmable memory, 16 bits each. */
#define SOC_UNIQUE_ID 0x40130000u

/* An item IMAGE_TYPE (5.9.3.1): one word, executable, Secure, Arm, RP2350. */
#define SOC_IMAGE_TYPE 0x10210142u

#endif
