/*
 * STM32H743: 400 MHz from the PLL, which every revision of the chip can; caches on; USART3. Registers and
 * sequences from RM0433. Every wait is bounded: without an answer the chip stays on its 64 MHz oscillator
 * and the baud rate follows.
 */
#ifndef TINYC_SOC_H
#define TINYC_SOC_H

#include "board.h"
#include "cortex_m.h"
#include "registers.h"

/* External interrupts (RM0433, vector table). */
#define SOC_INTERRUPTS 150u

#define SOC_GPIO 0x58020000u
#define SOC_UART 0x40004800u
#define SOC_UART_FUNCTION 7u /* USART3 on its pins */
#define SOC_UNIQUE_ID 0x1FF1E800u

#define RCC_CR 0x58024400u
#define RCC_CFGR 0x58024410u
#define RCC_D1CFGR REG32(0x58024418u)
#define RCC_D2CFGR REG32(0x5802441Cu)
#define RCC_D3CFGR REG32(0x58024420u)
#define RCC_PLLCKSELR REG32(0x58024428u)
#define RCC_PLLCFGR REG32(0x5802442Cu)
#define RCC_PLL1DIVR REG32(0x58024430u)
#define RCC_AHB4ENR REG32(0x580244E0u)
#define RCC_APB1LENR REG32(0x580244E8u)
#define PWR_CSR1 0x58024804u
#define PWR_CR3 REG32(0x5802480Cu)
#define PWR_D3CR 0x58024818u
#define FLASH_ACR 0x52002000u
#define DBGMCU_IDCODE REG32(0x5C001000u)
#define AXI_TARG7_FN_MOD REG32(0x51008108u)
#define SCB_ICIALLU REG32(0xE000EF50u)
#define SCB_DCISW REG32(0xE000EF60u)
#define DWT_LAR REG32(0xE0001FB0u)

#define CR_PLL1ON (1u << 24)
#define CR_PLL1RDY (1u << 25)
#define CFGR_PLL1 3u
#define CFGR_SWS_PLL1 (3u << 3)
#define PLLCFGR_INPUT_4_TO_8_MHZ (2u << 2)
#define PLLCFGR_DIVP1EN (1u << 16)
#define PWR_CR3_LDO 2u
#define CSR1_ACTVOSRDY (1u << 13)
#define D3CR_SCALE_1 (3u << 14)
#define D3CR_VOSRDY (1u << 13)
#define ACR_TWO_WAIT_STATES 0x22u /* of the flash at 200 MHz, and the delay that belongs to them */
#define CCR_DATA_CACHE (1u << 16)
#define CCR_INSTRUCTION_CACHE (1u << 17)

#define HSI_HZ 64000000u
#define PLL_BEFORE 10u
#define PLL_AFTER 2u
#define PLL_FACTOR (BOARD_CLOCK_HZ / (HSI_HZ / PLL_BEFORE / PLL_AFTER))

/* The core at 400 MHz, memory at 200, peripherals at 100. Returns the clock of USART3. */
static inline uint32_t soc_start_clocks(void) {
    PWR_CR3 = PWR_CR3_LDO; /* this write, of whatever supply there is, lets the voltage be changed */
    if (!wait_for_bits(PWR_CSR1, CSR1_ACTVOSRDY)) {
        return HSI_HZ;
    }
    REG32(PWR_D3CR) = D3CR_SCALE_1;
    RCC_PLLCKSELR = PLL_BEFORE << 4;
    RCC_PLLCFGR = PLLCFGR_INPUT_4_TO_8_MHZ | PLLCFGR_DIVP1EN;
    RCC_PLL1DIVR = (PLL_FACTOR - 1u) | (PLL_AFTER - 1u) << 9;
    REG32(RCC_CR) |= CR_PLL1ON;
    if (!wait_for_bits(PWR_D3CR, D3CR_VOSRDY) || !wait_for_bits(RCC_CR, CR_PLL1RDY)) {
        return HSI_HZ;
    }
    REG32(FLASH_ACR) = ACR_TWO_WAIT_STATES;
    (void)wait_for_bits(FLASH_ACR, ACR_TWO_WAIT_STATES);
    RCC_D1CFGR = 8u | 4u << 4; /* memory by 2, and the peripherals of every domain by 2 more */
    RCC_D2CFGR = 4u << 4 | 4u << 8;
    RCC_D3CFGR = 4u << 4;
    REG32(RCC_CFGR) |= CFGR_PLL1;
    return wait_for_bits(RCC_CFGR, CFGR_SWS_PLL1) ? BOARD_CLOCK_HZ / 4u : HSI_HZ / 4u;
}

/* 16 kB each. Data is invalidated line by line: 4 ways of 128 lines of 32 bytes. */
static inline void soc_start_caches(void) {
    SCB_ICIALLU = 0u;
    __asm volatile("dsb\n isb" ::: "memory");
    SCB_CCR |= CCR_INSTRUCTION_CACHE;
    if ((SCB_CCR & CCR_DATA_CACHE) == 0u) { /* else it may hold what memory does not */
        for (uint32_t way = 0; way < 4u; way++) {
            for (uint32_t line = 0; line < 128u; line++) {
                SCB_DCISW = way << 30 | line << 5;
            }
        }
        __asm volatile("dsb" ::: "memory");
        SCB_CCR |= CCR_DATA_CACHE;
    }
    __asm volatile("dsb\n isb" ::: "memory");
}

/* Clocks, caches, and access to the cycle counter. Returns the clock of USART3. */
static inline uint32_t soc_start(void) {
    if (DBGMCU_IDCODE >> 16 < 0x2000u) {
        AXI_TARG7_FN_MOD = 1u; /* revisions Y and before misread AXI SRAM (errata sheet ES0392) */
    }
    const uint32_t clock = soc_start_clocks();
    soc_start_caches();
    RCC_AHB4ENR |= 1u << BOARD_UART_TX_PORT | 1u << BOARD_UART_RX_PORT;
    RCC_APB1LENR |= 1u << 18; /* USART3 */
    (void)RCC_APB1LENR;       /* two cycles until the clock arrives */
    DWT_LAR = 0xC5ACCE55u;    /* the cycle counter of this core is locked */
    return clock;
}

static inline uint32_t soc_uart_divider(uint32_t clock) {
    return (clock + BOARD_UART_BAUD / 2u) / BOARD_UART_BAUD;
}

#endif
