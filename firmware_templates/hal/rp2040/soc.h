#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* The RP2040, from its datasheet. */

/* External interrupts (2.3.2), of which the last six are never used. */
#define SOC_INTERRUPTS 32u

/* A Cortex-M0+ whose vector table can lie anywhere. */
#define SOC_HAS_VTOR 1

#define SOC_CLOCKS 0x40008000u
#define SOC_RESETS 0x4000C000u
#define SOC_PSM 0x40010000u
#define SOC_IO_BANK0 0x40014000u
#define SOC_PADS_BANK0 0x4001C000u
#define SOC_XOSC 0x40024000u
#define SOC_PLL_SYS 0x40028000u
#define SOC_UART0 0x40034000u
#define SOC_TIMER 0x40054000u
#define SOC_WATCHDOG 0x40058000u

/* Bits of RESETS. */
#define SOC_RESET_IO_BANK0 (1u << 5)
#define SOC_RESET_PADS_BANK0 (1u << 8)
#define SOC_RESET_PLL_SYS (1u << 12)
#define SOC_RESET_TIMER (1u << 21)
#define SOC_RESET_UART0 (1u << 22)

/* Bits of PSM.WDSEL: all but the two oscillators. */
#define SOC_RESET_ALL 0x1FFFCu

/* 125 MHz: 1500 MHz, by 6, by 2. */
#define SOC_VCO_HZ 1500000000u
#define SOC_POSTDIV1 6u
#define SOC_POSTDIV2 2u

/* What the boot stage has read from the flash chip: scratch registers 0 and 1 of the watchdog. */
#define SOC_UNIQUE_ID (SOC_WATCHDOG + 0x0Cu)

#endif
