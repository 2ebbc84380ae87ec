#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* External interrupts of the nRF51822 (Reference Manual, instantiation table). */
#define SOC_INTERRUPTS 32u

#endif
