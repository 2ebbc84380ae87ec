#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* Whether the core has the register mie. */
#define SOC_HAS_MIE 1

#define SOC_AON 0x10000000u
#define SOC_PRCI 0x10008000u
#define SOC_GPIO 0x10012000u
#define SOC_UART 0x10013000u

#endif
