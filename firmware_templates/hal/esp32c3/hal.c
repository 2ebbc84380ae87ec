/*
 * Espressif ESP32-C3: 40 MHz from the crystal, UART0 on any two pins, the MAC address as unique number.
 * Registers from the ESP32-C3 Technical Reference Manual. The PLL stays unused: its analogue part is set over
 * a bus that the manual does not describe.
 */
#include "hal.h"

#include "board.h"
#include "riscv.h"
#include "soc.h"

#define UART_FIFO REG32(SOC_UART + 0x00u)
#define UART_CLKDIV REG32(SOC_UART + 0x14u)
#define UART_STATUS REG32(SOC_UART + 0x1Cu)
#define UART_CONF0 REG32(SOC_UART + 0x20u)
#define UART_FSM_STATUS REG32(SOC_UART + 0x6Cu)
#define UART_CLK_CONF REG32(SOC_UART + 0x78u)
#define UART_ID (SOC_UART + 0x80u)

#define GPIO_FUNC_IN_SEL_CFG(signal) REG32(SOC_GPIO + 0x154u + 4u * (signal))
#define GPIO_FUNC_OUT_SEL_CFG(pin) REG32(SOC_GPIO + 0x554u + 4u * (pin))
#define IO_MUX_GPIO(pin) REG32(SOC_IO_MUX + 0x04u + 4u * (pin))

#define RTC_CNTL_OPTIONS0 REG32(SOC_RTC_CNTL + 0x00u)
#define RTC_CNTL_WDTCONFIG0 REG32(SOC_RTC_CNTL + 0x90u)
#define RTC_CNTL_WDTWPROTECT REG32(SOC_RTC_CNTL + 0xA8u)
#define RTC_CNTL_SWD_CONF REG32(SOC_RTC_CNTL + 0xACu)
#define RTC_CNTL_SWD_WPROTECT REG32(SOC_RTC_CNTL + 0xB0u)
#define TIMG_WDTCONFIG0 REG32(SOC_TIMG0 + 0x48u)
#define TIMG_WDTWPROTECT REG32(SOC_TIMG0 + 0x64u)

#define SYSTEM_PERIP_CLK_EN0 REG32(SOC_SYSTEM + 0x10u)
#define SYSTEM_PERIP_RST_EN0 REG32(SOC_SYSTEM + 0x18u)
#define SYSTEM_SYSCLK_CONF REG32(SOC_SYSTEM + 0x58u)

#define EFUSE_RD_MAC_SPI_SYS_0 REG32(SOC_EFUSE + 0x44u)
#define EFUSE_RD_MAC_SPI_SYS_1 REG32(SOC_EFUSE + 0x48u)

#define WDT_KEY 0x50D83AA1u
#define SWD_KEY 0x8F1D312Au
#define SWD_AUTO_FEED_EN (1u << 31)
#define TIMG_WDT_CONF_UPDATE_EN (1u << 22)
#define SW_SYS_RST (1u << 31)

#define UART_AND_ITS_MEMORY (1u << 24 | 1u << 2)
#define UART_RST (1u << 2)

#define RXFIFO_CNT 0x3FFu
#define TXFIFO_CNT (0x3FFu << 16)
#define FIFO_BYTES 128u
#define ST_UTX_OUT 0xF0u
#define MEM_CLK_EN (1u << 28)
#define FIFOS_RST (1u << 18 | 1u << 17)
#define EIGHT_BITS (3u << 2)
#define ONE_STOP_BIT (1u << 4)
#define RST_CORE (1u << 23)
#define CLOCKS_ON (1u << 25 | 1u << 24 | 1u << 22)
#define FROM_CRYSTAL (3u << 20)
#define REG_UPDATE (1u << 31)
#define UPDATE_CTRL (1u << 30)

#define SIGNAL_UART0 6u
#define BY_MATRIX (1u << 6)
#define FUNCTION_GPIO (1u << 12)
#define DRIVE_20_MA (2u << 10)
#define INPUT_ON (1u << 9)
#define PULL_UP (1u << 8)

/* The performance counter of the core, of cycles: event (mpcer), on (mpcmr), count (mpccr). */
static inline void start_counter(void) {
    __asm volatile(
        "csrwi 0x7E0, 1\n"
        "csrwi 0x7E1, 1\n"
        "csrwi 0x7E2, 0\n");
}

/* The ROM leaves three watchdogs on, each behind a key. */
static void stop_watchdogs(void) {
    RTC_CNTL_WDTWPROTECT = WDT_KEY;
    RTC_CNTL_WDTCONFIG0 = 0u;
    RTC_CNTL_WDTWPROTECT = 0u;
    RTC_CNTL_SWD_WPROTECT = SWD_KEY;
    RTC_CNTL_SWD_CONF |= SWD_AUTO_FEED_EN;
    RTC_CNTL_SWD_WPROTECT = 0u;
    TIMG_WDTWPROTECT = WDT_KEY;
    TIMG_WDTCONFIG0 = TIMG_WDT_CONF_UPDATE_EN;
    TIMG_WDTWPROTECT = 0u;
}

static void connect_pins(void) {
    GPIO_FUNC_OUT_SEL_CFG(BOARD_UART_TX_PIN) = SIGNAL_UART0;
    GPIO_FUNC_IN_SEL_CFG(SIGNAL_UART0) = BY_MATRIX | BOARD_UART_RX_PIN;
    IO_MUX_GPIO(BOARD_UART_TX_PIN) = FUNCTION_GPIO | DRIVE_20_MA;
    IO_MUX_GPIO(BOARD_UART_RX_PIN) = FUNCTION_GPIO | DRIVE_20_MA | INPUT_ON | PULL_UP;
}

/* As the chapter on the UART wants it: its core is held in reset while its registers are. */
static void start_uart(void) {
    const uint32_t divider = (BOARD_CRYSTAL_HZ * 16u + BOARD_UART_BAUD / 2u) / BOARD_UART_BAUD; /* in 1/16 */
    const uint32_t frame = MEM_CLK_EN | ONE_STOP_BIT | EIGHT_BITS;
    SYSTEM_PERIP_CLK_EN0 |= UART_AND_ITS_MEMORY;
    SYSTEM_PERIP_RST_EN0 &= ~UART_RST;
    UART_CLK_CONF |= RST_CORE;
    SYSTEM_PERIP_RST_EN0 |= UART_RST;
    SYSTEM_PERIP_RST_EN0 &= ~UART_RST;
    UART_CLK_CONF = CLOCKS_ON | FROM_CRYSTAL;
    REG32(UART_ID) &= ~UPDATE_CTRL; /* what is written from here on counts after REG_UPDATE */
    UART_CLKDIV = divider >> 4 | (divider & 15u) << 20;
    UART_CONF0 = frame | FIFOS_RST;
    UART_CONF0 = frame;
    REG32(UART_ID) |= REG_UPDATE;
    for (uint32_t turn = 0; turn < 1000u && (REG32(UART_ID) & REG_UPDATE) != 0u; turn++) {
    }
}

void hal_init(void) {
    stop_watchdogs();
    SYSTEM_SYSCLK_CONF = 0u; /* the crystal, undivided */
    start_counter();
    start_uart();
    connect_pins();
}

uint8_t hal_uart_read_byte(void) {
    while ((UART_STATUS & RXFIFO_CNT) == 0u) {
    }
    return (uint8_t)UART_FIFO;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        while ((UART_STATUS & TXFIFO_CNT) >= FIFO_BYTES << 16) {
        }
        UART_FIFO = data[i];
    }
}

void hal_reset(void) {
    while ((UART_STATUS & TXFIFO_CNT) != 0u || (UART_FSM_STATUS & ST_UTX_OUT) != 0u) {
    }
    RTC_CNTL_OPTIONS0 |= SW_SYS_RST;
    start_again();
}

uint32_t hal_cycles(void) {
    uint32_t value;
    __asm volatile("csrr %0, 0x7E2" : "=r"(value));
    return value;
}

void hal_device_id(uint8_t id[8]) {
    store_word(id, EFUSE_RD_MAC_SPI_SYS_0);
    store_word(id + 4, EFUSE_RD_MAC_SPI_SYS_1 & 0xFFFFu);
}
