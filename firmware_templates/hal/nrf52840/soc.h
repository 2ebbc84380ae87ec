#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* External interrupts of the nRF52840 (Product Specification, instantiation table). */
#define SOC_INTERRUPTS 48u

#endif
