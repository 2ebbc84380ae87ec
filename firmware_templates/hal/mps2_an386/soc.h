#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* External interrupts of the AN386 image (Application Note AN386, interrupt map). */
#define SOC_INTERRUPTS 32u

#define SOC_UART 0x40004000u

#endif
