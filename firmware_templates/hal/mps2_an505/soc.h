#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* External interrupts of the AN505 image (Application Note AN505, interrupt map). */
#define SOC_INTERRUPTS 124u

/* The firmware stays in the secure state, so that this is the secure alias. */
#define SOC_UART 0x50200000u

#endif
