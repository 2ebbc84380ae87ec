#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* External interrupts of the AN500 image (Application Note AN500, interrupt map). */
#define SOC_INTERRUPTS 32u

#define SOC_UART 0x40004000u

#endif
