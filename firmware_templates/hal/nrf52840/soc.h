#ifndef TINYC_SOC_H
#define TINYC_SOC_H

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

#endif
