/*
 * STM32L4R5: 120 MHz from the PLL, LPUART1. Registers and sequences from RM0432. Every wait is bounded:
 * without an answer the chip stays on its 4 MHz oscillator and the baud rate follows.
 */
#ifndef TINYC_SOC_H
#define TINYC_SOC_H

#include "board.h"
#include "registers.h"

/* External interrupts (RM0432, vector table). */
#define SOC_INTERRUPTS 95u

#define SOC_GPIO 0x48000000u
#define SOC_UART 0x40008000u
#define SOC_UART_FUNCTION 8u /* LPUART1 on its pins */
#define SOC_UNIQUE_ID 0x1FFF7590u

#define RCC_CR 0x40021000u
#define RCC_CFGR 0x40021008u
#define RCC_PLLCFGR REG32(0x4002100Cu)
#define RCC_AHB2ENR REG32(0x4002104Cu)
#define RCC_APB1ENR1 REG32(0x40021058u)
#define RCC_APB1ENR2 REG32(0x4002105Cu)
#define PWR_CR2 REG32(0x40007004u)
#define PWR_CR5 REG32(0x40007080u)
#define FLASH_ACR 0x40022000u

#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define CFGR_HALF_SPEED (8u << 4) /* AHB by 2 */
#define CFGR_PLL 3u
#define CFGR_SWS_PLL (3u << 2)
#define PLLCFGR_FROM_MSI 1u
#define PLLCFGR_PLLREN (1u << 24)
#define PWR_CR2_IOSV (1u << 9)
#define PWR_CR5_R1MODE (1u << 8)
#define ACR_LATENCY 5u
#define ACR_PREFETCH_AND_CACHES (7u << 8)

#define MSI_HZ 4000000u
#define VCO_MULTIPLIER (BOARD_CLOCK_HZ / (MSI_HZ / 2u))
#define BOOST_TURNS 200u

/* The core on the PLL, which takes the 4 MHz after reset. Returns the clock. */
static inline uint32_t soc_start_clocks(void) {
    PWR_CR5 &= ~PWR_CR5_R1MODE; /* boost, needed above 80 MHz */
    REG32(FLASH_ACR) = ACR_LATENCY | ACR_PREFETCH_AND_CACHES;
    RCC_PLLCFGR = PLLCFGR_FROM_MSI | VCO_MULTIPLIER << 8 | PLLCFGR_PLLREN; /* by 1 before, by 2 after */
    REG32(RCC_CR) |= CR_PLLON;
    if (!wait_for_bits(FLASH_ACR, ACR_LATENCY) || !wait_for_bits(RCC_CR, CR_PLLRDY)) {
        return MSI_HZ;
    }
    /* Never from below 80 MHz to above at once: at half the speed for a microsecond. */
    REG32(RCC_CFGR) = CFGR_HALF_SPEED | CFGR_PLL;
    if (!wait_for_bits(RCC_CFGR, CFGR_SWS_PLL)) {
        REG32(RCC_CFGR) = 0u;
        return MSI_HZ;
    }
    for (uint32_t turn = 0; turn < BOOST_TURNS; turn++) {
        __asm volatile("" ::: "memory");
    }
    REG32(RCC_CFGR) &= ~CFGR_HALF_SPEED;
    return BOARD_CLOCK_HZ;
}

/* Clocks, and power for port G, which has a supply of its own. Returns the clock of LPUART1. */
static inline uint32_t soc_start(void) {
    RCC_APB1ENR1 |= 1u << 28; /* PWR */
    (void)RCC_APB1ENR1;       /* two cycles until the clock arrives */
    PWR_CR2 |= PWR_CR2_IOSV;
    const uint32_t clock = soc_start_clocks();
    RCC_AHB2ENR |= 1u << BOARD_UART_TX_PORT | 1u << BOARD_UART_RX_PORT;
    RCC_APB1ENR2 |= 1u; /* LPUART1, on the clock of APB1 */
    (void)RCC_APB1ENR2;
    return clock;
}

/* Of an LPUART: 256 times the clock. */
static inline uint32_t soc_uart_divider(uint32_t clock) {
    const uint32_t rate = BOARD_UART_BAUD / 256u;
    return (clock + rate / 2u) / rate;
}

#endif
