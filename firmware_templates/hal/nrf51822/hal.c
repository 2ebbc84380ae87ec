/*
 * nRF51822: 16 MHz from the crystal, UART0 with its 6-byte receive FIFO, FICR device number. TIMER0
 * runs at the core's 16 MHz and counts cycles in place of a DWT.
 * Registers from the nRF51 Series Reference Manual 3.0.
 */
#include "hal.h"

#include "board.h"
#include "cortex_m.h"

#define FICR_DEVICEID(n) REG32(0x10000060u + 4u * (n))

#define CLOCK_TASKS_HFCLKSTART REG32(0x40000000u)
#define CLOCK_EVENTS_HFCLKSTARTED 0x40000100u

#define GPIO_OUTSET REG32(0x50000508u)
#define GPIO_DIRSET REG32(0x50000518u)
#define GPIO_PIN_CNF(pin) REG32(0x50000700u + 4u * (pin))

#define UART_TASKS_STARTRX REG32(0x40002000u)
#define UART_TASKS_STARTTX REG32(0x40002008u)
#define UART_EVENTS_RXDRDY REG32(0x40002108u)
#define UART_EVENTS_TXDRDY REG32(0x4000211Cu)
#define UART_ENABLE REG32(0x40002500u)
#define UART_PSEL_TXD REG32(0x4000250Cu)
#define UART_PSEL_RXD REG32(0x40002514u)
#define UART_RXD REG32(0x40002518u)
#define UART_TXD REG32(0x4000251Cu)
#define UART_BAUDRATE REG32(0x40002524u)
#define UART_CONFIG REG32(0x4000256Cu)

#define TIMER_TASKS_START REG32(0x40008000u)
#define TIMER_TASKS_CLEAR REG32(0x4000800Cu)
#define TIMER_TASKS_CAPTURE REG32(0x40008040u)
#define TIMER_MODE REG32(0x40008504u)
#define TIMER_BITMODE REG32(0x40008508u)
#define TIMER_PRESCALER REG32(0x40008510u)
#define TIMER_CC REG32(0x40008540u)

static void start_uart(void) {
    GPIO_OUTSET = 1u << BOARD_UART_TX_PIN; /* idle level before the pin drives */
    GPIO_DIRSET = 1u << BOARD_UART_TX_PIN;
    GPIO_PIN_CNF(BOARD_UART_RX_PIN) = 3u << 2; /* input with pull-up */
    UART_ENABLE = 0u;
    UART_PSEL_TXD = BOARD_UART_TX_PIN;
    UART_PSEL_RXD = BOARD_UART_RX_PIN;
    UART_BAUDRATE = 0x01D7E000u; /* 115200 */
    UART_CONFIG = 0u;            /* 8N1, no flow control */
    UART_ENABLE = 4u;
    UART_EVENTS_RXDRDY = 0u;
    UART_EVENTS_TXDRDY = 0u;
    UART_TASKS_STARTTX = 1u;
    UART_TASKS_STARTRX = 1u;
}

static void start_timer(void) {
    TIMER_MODE = 0u;
    TIMER_BITMODE = 3u; /* 32 bits, which only this timer has */
    TIMER_PRESCALER = 0u;
    TIMER_TASKS_CLEAR = 1u;
    TIMER_TASKS_START = 1u;
}

void hal_init(void) {
    CLOCK_TASKS_HFCLKSTART = 1u;
    (void)wait_for_bits(CLOCK_EVENTS_HFCLKSTARTED, 1u);
    start_uart();
    start_timer();
}

uint8_t hal_uart_read_byte(void) {
    while (UART_EVENTS_RXDRDY == 0u) {
    }
    UART_EVENTS_RXDRDY = 0u; /* before RXD is read: the next byte in the FIFO raises it again */
    return (uint8_t)UART_RXD;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        UART_EVENTS_TXDRDY = 0u;
        UART_TXD = data[i];
        while (UART_EVENTS_TXDRDY == 0u) {
        }
    }
}

void hal_reset(void) {
    system_reset(); /* TXDRDY has told that the last byte left */
}

uint32_t hal_cycles(void) {
    TIMER_TASKS_CAPTURE = 1u;
    return TIMER_CC;
}

void hal_device_id(uint8_t id[8]) {
    store_word(id, FICR_DEVICEID(0u));
    store_word(id + 4, FICR_DEVICEID(1u));
}
