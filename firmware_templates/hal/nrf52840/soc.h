#ifndef TINYC_SOC_H
#define TINYC_SOC_H

#include "registers.h"

/* External interrupts of the nRF52840 (Product Specification, instantiation table). */
#define SOC_INTERRUPTS 48u

/* The radio driver's two, in firmware that has it: RADIO and TIMER1. */
#if defined(FIRMWARE_HAS_RADIO)
void radio_interrupt(void);
void radio_timer_interrupt(void);
#define SOC_VECTORS \
    [0] = tinyc_interrupt_handler, [1] = radio_interrupt, [2 ... 8] = tinyc_interrupt_handler, \
    [9] = radio_timer_interrupt, [10 ... SOC_INTERRUPTS - 1] = tinyc_interrupt_handler
#endif

#define SOC_CLOCK 0x40000000u
#define SOC_UART 0x40002000u
#define SOC_GPIO 0x50000500u
#define SOC_DEVICE_ID 0x10000060u

#define FICR_PART_VARIANT REG32(0x10000130u) /* 8 on this chip, next word is the silicon revision */
#define FICR_PART_REVISION REG32(0x10000134u)
#define UICR_APPROTECT REG32(0x10001208u)
#define APPROTECT_DISABLE REG32(0x40000558u)
#define NVMC_ICACHECNF REG32(0x4001E540u)

/*
 * From silicon revision 3 on the debug port stays locked after reset until firmware copies the
 * setting out of UICR (Product Specification, "Access port protection").
 */
static inline void soc_start(void) {
    if (FICR_PART_VARIANT == 8u && FICR_PART_REVISION >= 3u) {
        APPROTECT_DISABLE = UICR_APPROTECT;
    }
    NVMC_ICACHECNF = 1u; /* instruction cache on */
}

#endif
