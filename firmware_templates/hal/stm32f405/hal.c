/*
 * STM32F405: 168 MHz from the PLL, USART1 on two pins of port B, unique number.
 * Registers from RM0090. Every wait is bounded: without an answer from the clock unit (as in QEMU,
 * which has none) the chip stays on its 16 MHz oscillator and the baud rate follows.
 */
#include "hal.h"

#include "board.h"
#include "cortex_m.h"

#define RCC_CR 0x40023800u
#define RCC_PLLCFGR REG32(0x40023804u)
#define RCC_CFGR 0x40023808u
#define RCC_AHB1ENR REG32(0x40023830u)
#define RCC_APB1ENR REG32(0x40023840u)
#define RCC_APB2ENR REG32(0x40023844u)
#define PWR_CR REG32(0x40007000u)
#define FLASH_ACR REG32(0x40023C00u)
#define DBGMCU_IDCODE REG32(0xE0042000u)
#define UNIQUE_ID(n) REG32(0x1FFF7A10u + 4u * (n))

#define GPIO_BASE(port) (0x40020000u + 0x400u * (port))
#define GPIO_MODER(port) REG32(GPIO_BASE(port) + 0x00u)
#define GPIO_PUPDR(port) REG32(GPIO_BASE(port) + 0x0Cu)
#define GPIO_AFR(port, pin) REG32(GPIO_BASE(port) + 0x20u + 4u * ((pin) / 8u))

#define USART_STATUS 0x40011000u
#define USART_SR REG32(USART_STATUS)
#define USART_DR REG32(0x40011004u)
#define USART_BRR REG32(0x40011008u)
#define USART_CR1 REG32(0x4001100Cu)

#define CR_HSEON (1u << 16)
#define CR_HSERDY (1u << 17)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define CFGR_SWS_PLL (2u << 2)
#define PLLCFGR_SOURCE_HSE (1u << 22)
#define SR_RXNE (1u << 5)
#define SR_TC (1u << 6)
#define SR_TXE (1u << 7)

#define HSI_HZ 16000000u

/* Brings the core to 168 MHz. Returns the clock of APB2, where USART1 lives. */
static uint32_t start_clocks(void) {
    RCC_APB1ENR |= 1u << 28; /* PWR */
    PWR_CR |= 1u << 14;      /* voltage scale 1, needed above 144 MHz */
    REG32(RCC_CR) |= CR_HSEON;
    const uint32_t crystal = wait_for_bits(RCC_CR, CR_HSERDY);
    const uint32_t source = crystal ? BOARD_CRYSTAL_HZ : HSI_HZ;
    /* 1 MHz into the PLL, times 336, by 2 for the core, by 7 for the 48 MHz domain. */
    RCC_PLLCFGR = (source / 1000000u) | (336u << 6) | (7u << 24) | (crystal ? PLLCFGR_SOURCE_HSE : 0u);
    REG32(RCC_CR) |= CR_PLLON;
    if (!wait_for_bits(RCC_CR, CR_PLLRDY)) {
        return HSI_HZ;
    }
    FLASH_ACR = 5u | (7u << 8);                    /* 5 wait states, prefetch and both caches */
    REG32(RCC_CFGR) = (5u << 10) | (4u << 13);     /* APB1 by 4, APB2 by 2 */
    REG32(RCC_CFGR) |= 2u;                         /* core from the PLL */
    return wait_for_bits(RCC_CFGR, CFGR_SWS_PLL) ? BOARD_CLOCK_HZ / 2u : HSI_HZ / 2u;
}

static void alternate_function(uint32_t port, uint32_t pin, uint32_t function) {
    GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(0xFu << (4u * (pin % 8u)))) | (function << (4u * (pin % 8u)));
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << (2u * pin))) | (1u << (2u * pin));
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << (2u * pin))) | (2u << (2u * pin));
}

void hal_init(void) {
    const uint32_t uart_clock = start_clocks();
    RCC_AHB1ENR |= (1u << BOARD_UART_TX_PORT) | (1u << BOARD_UART_RX_PORT);
    RCC_APB2ENR |= 1u << 4; /* USART1 */
    (void)RCC_APB2ENR;      /* two cycles until the clock arrives */
    alternate_function(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN, 7u);
    alternate_function(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN, 7u);
    USART_BRR = (uart_clock + BOARD_UART_BAUD / 2u) / BOARD_UART_BAUD;
    USART_CR1 = (1u << 13) | (1u << 3) | (1u << 2); /* on, transmitter, receiver */
    cycle_counter_start();
}

uint8_t hal_uart_read_byte(void) {
    while ((USART_SR & SR_RXNE) == 0u) {
    }
    return (uint8_t)USART_DR;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        while ((USART_SR & SR_TXE) == 0u) {
        }
        USART_DR = data[i];
    }
}

void hal_reset(void) {
    (void)wait_for_bits(USART_STATUS, SR_TC);
    system_reset();
}

uint32_t hal_cycles(void) {
    return cycle_counter_read();
}

/* 96 bits folded into 64. Not every model of the chip has this memory, so its identity comes first. */
void hal_device_id(uint8_t id[8]) {
    const uint32_t present = (DBGMCU_IDCODE & 0xFFFu) == 0x413u;
    store_word(id, present ? UNIQUE_ID(0u) ^ UNIQUE_ID(2u) : 0u);
    store_word(id + 4, present ? UNIQUE_ID(1u) : 0u);
}
