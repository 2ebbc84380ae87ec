#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* External interrupts of the AN547 image (Application Note AN547, interrupt map). */
#define SOC_INTERRUPTS 96u

/* The firmware stays in the secure state, so that these are the secure aliases. */
#define SOC_UART 0x59303000u
/* System counter of the SSE-300 subsystem: control and status frames. It runs at the clock of the core. */
#define SOC_COUNTER_CONTROL 0x58100000u
#define SOC_COUNTER_STATUS 0x58101000u

#endif
