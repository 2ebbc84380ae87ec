/*
 * nRF5340, application core: 128 MHz, UARTE0 by its secure address. Nothing here leaves the secure state
 * that the core starts in. Registers from the nRF5340 Product Specification 1.5.
 */
#ifndef TINYC_SOC_H
#define TINYC_SOC_H

#include "registers.h"

/* External interrupts (Product Specification, instantiation table). */
#define SOC_INTERRUPTS 69u

#define SOC_CLOCK 0x50005000u
#define SOC_UART 0x50008000u
#define SOC_GPIO 0x50842500u
#define SOC_DEVICE_ID 0x00FF0204u

#define FICR_TRIM_ADDRESS(n) REG32(0x00FF0300u + 8u * (n))
#define FICR_TRIM_DATA(n) REG32(0x00FF0304u + 8u * (n))
#define FICR_TRIMS 32u
#define UICR_APPROTECT REG32(0x00FF8000u)
#define UICR_SECUREAPPROTECT REG32(0x00FF801Cu)
#define APPROTECT_DISABLE REG32(0x50006544u)
#define SECUREAPPROTECT_DISABLE REG32(0x5000654Cu)
#define HFCLKCTRL REG32(SOC_CLOCK + 0x558u)
#define CACHE_ENABLE REG32(0x50001500u)

/* What the factory found out about this chip, the debug port's lock as UICR says, full speed, cache. */
static inline void soc_start(void) {
    for (uint32_t n = 0; n < FICR_TRIMS && FICR_TRIM_ADDRESS(n) != 0xFFFFFFFFu; n++) {
        REG32(FICR_TRIM_ADDRESS(n)) = FICR_TRIM_DATA(n);
    }
    APPROTECT_DISABLE = UICR_APPROTECT;
    SECUREAPPROTECT_DISABLE = UICR_SECUREAPPROTECT;
    HFCLKCTRL = 0u; /* not divided by 2 */
    CACHE_ENABLE = 1u;
}

#endif
