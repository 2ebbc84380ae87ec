#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* Whether the core has the register mie. */
#define SOC_HAS_MIE 1

/* The device that ends or resets the machine. */
#define SOC_FINISHER 0x00100000u
#define SOC_UART 0x10000000u

#endif
