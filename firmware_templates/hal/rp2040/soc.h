#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* External interrupts of the RP2040 (datasheet, 2.3.2), of which the last six are never used. */
#define SOC_INTERRUPTS 32u

/* A Cortex-M0+ whose vector table can lie anywhere. */
#define SOC_HAS_VTOR 1

#endif
