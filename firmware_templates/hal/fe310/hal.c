/*
 * SiFive FE310: 16 MHz from the crystal, UART 0 on pins 16 and 17, no unique number.
 * Registers from the FE310-G002 Manual.
 */
#include "hal.h"

#include "board.h"
#include "riscv.h"
#include "soc.h"

#define HFXOSCCFG (SOC_PRCI + 0x04u)
#define PLLCFG REG32(SOC_PRCI + 0x08u)
#define PLLOUTDIV REG32(SOC_PRCI + 0x0Cu)

#define GPIO_IOF_EN REG32(SOC_GPIO + 0x38u)
#define GPIO_IOF_SEL REG32(SOC_GPIO + 0x3Cu)

#define UART_TXDATA REG32(SOC_UART + 0x00u)
#define UART_RXDATA REG32(SOC_UART + 0x04u)
#define UART_TXCTRL REG32(SOC_UART + 0x08u)
#define UART_RXCTRL REG32(SOC_UART + 0x0Cu)
#define UART_DIV REG32(SOC_UART + 0x18u)

#define WDOG_CFG REG32(SOC_AON + 0x00u)
#define WDOG_KEY REG32(SOC_AON + 0x1Cu)
#define WDOG_COMPARE REG32(SOC_AON + 0x20u)
#define KEY 0x51F15Eu
#define RESET_ALWAYS (1u << 12 | 1u << 8)

#define UART_PENDING 0x14u
#define UART_TX_IDLE 1u

#define HFXOSC_EN (1u << 30)
#define HFXOSC_RDY (1u << 31)
#define PLL_SELECT (1u << 16)
#define PLL_FROM_CRYSTAL (1u << 17)
#define PLL_BYPASS (1u << 18)
#define OUTDIV_BY_1 (1u << 8)
#define UART_PINS (3u << 16)
#define BUSY_OR_EMPTY (1u << 31)

/* The core on the crystal itself: the PLL is bypassed before it is selected. */
static void start_clock(void) {
    REG32(HFXOSCCFG) |= HFXOSC_EN;
    (void)wait_for_bits(HFXOSCCFG, HFXOSC_RDY);
    PLLCFG = (PLLCFG & PLL_SELECT) | PLL_FROM_CRYSTAL | PLL_BYPASS;
    PLLOUTDIV = OUTDIV_BY_1;
    PLLCFG |= PLL_SELECT;
}

void hal_init(void) {
    start_clock();
    GPIO_IOF_SEL &= ~UART_PINS;
    GPIO_IOF_EN |= UART_PINS;
    UART_DIV = BOARD_CLOCK_HZ / BOARD_UART_BAUD - 1u;
    UART_TXCTRL = 1u << 16 | 1u; /* on; pending while the FIFO holds less than 1 byte */
    UART_RXCTRL = 1u;
}

uint8_t hal_uart_read_byte(void) {
    uint32_t word;
    do {
        word = UART_RXDATA; /* takes the byte when there is one */
    } while ((word & BUSY_OR_EMPTY) != 0u);
    return (uint8_t)word;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        while ((UART_TXDATA & BUSY_OR_EMPTY) != 0u) {
        }
        UART_TXDATA = data[i];
    }
}

/* By the watchdog, which runs out at once. Each of its registers wants the key first. */
void hal_reset(void) {
    (void)wait_for_bits(SOC_UART + UART_PENDING, UART_TX_IDLE);
    wait_for_two_bytes();
    WDOG_KEY = KEY;
    WDOG_COMPARE = 0u;
    WDOG_KEY = KEY;
    WDOG_CFG = RESET_ALWAYS;
    wait_for_two_bytes(); /* several of its slow clocks */
    start_again();
}

uint32_t hal_cycles(void) {
    return cycle_counter_read();
}

void hal_device_id(uint8_t id[8]) {
    store_word(id, 0u);
    store_word(id + 4, 0u);
}
