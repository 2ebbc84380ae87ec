#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* External interrupts of the STM32F405 (RM0090, vector table). */
#define SOC_INTERRUPTS 82u

#endif
