/*
 * Sleep of the nRF52840, ended by RADIO and TIMER1, by a byte at UARTE0, or by TIMER2 (Product Specification 1.7).
 *
 * The interrupts of TIMER2 and UARTE0 only end the sleep: they are enabled while interrupts are masked, and
 * disabled before they are not. A pending interrupt ends WFI under PRIMASK, and nothing that comes between the last
 * look and the sleep is missed.
 */
#include "wake.h"

#include "cortex_m.h"
#include "hal.h"
#include "radio.h"

#define UART_EVENTS_RXDRDY REG32(0x40002108u)
#define UART_INTENSET REG32(0x40002304u)
#define UART_INTENCLR REG32(0x40002308u)
#define UART_RXDRDY_BIT (1u << 2)

#define TIMER2(offset) REG32(0x4000A000u + (offset))
#define TIMER2_START TIMER2(0x000u)
#define TIMER2_STOP TIMER2(0x004u)
#define TIMER2_CLEAR TIMER2(0x00Cu)
#define TIMER2_COMPARE TIMER2(0x140u)
#define TIMER2_INTENSET TIMER2(0x304u)
#define TIMER2_INTENCLR TIMER2(0x308u)
#define TIMER2_BITMODE TIMER2(0x508u)
#define TIMER2_PRESCALER TIMER2(0x510u)
#define TIMER2_CC TIMER2(0x540u)
#define TIMER2_COMPARE_BIT (1u << 16)
#define TICKS_PER_MS 1000u /* 16 MHz through 2^4 */

#define NVIC_ISER REG32(0xE000E100u)
#define UARTE0_INTERRUPT 2u
#define TIMER2_INTERRUPT 10u
#define BOTH (1u << UARTE0_INTERRUPT | 1u << TIMER2_INTERRUPT)

static void arm_timer(uint32_t milliseconds) {
    TIMER2_STOP = 1u;
    TIMER2_CLEAR = 1u;
    TIMER2_BITMODE = 3u;
    TIMER2_PRESCALER = 4u;
    TIMER2_COMPARE = 0u;
    TIMER2_CC = milliseconds * TICKS_PER_MS;
    TIMER2_INTENSET = TIMER2_COMPARE_BIT;
    TIMER2_START = 1u;
}

static void disarm(void) {
    TIMER2_STOP = 1u;
    TIMER2_INTENCLR = TIMER2_COMPARE_BIT;
    TIMER2_COMPARE = 0u;
    UART_INTENCLR = UART_RXDRDY_BIT;
}

void wake_wait(uint32_t seen, uint32_t milliseconds) {
    if (milliseconds == 0u) {
        return;
    }
    __asm volatile("cpsid i" ::: "memory");
    UART_EVENTS_RXDRDY = 0u;
    /* Twice: the chip tells of a byte a moment before it is in RAM. */
    const uint32_t byte = hal_uart_ready() | hal_uart_ready();
    if (byte == 0u && radio_activity() == seen) {
        arm_timer(milliseconds < WAKE_LONGEST ? milliseconds : WAKE_LONGEST);
        UART_INTENSET = UART_RXDRDY_BIT;
        NVIC_ISER = BOTH;
        __asm volatile("dsb\n wfi" ::: "memory");
        disarm();
        NVIC_ICER(0u) = BOTH;
        __asm volatile("dsb" ::: "memory"); /* the events are gone before the pending bits go */
        NVIC_ICPR(0u) = BOTH;
    }
    __asm volatile("cpsie i" ::: "memory");
}
