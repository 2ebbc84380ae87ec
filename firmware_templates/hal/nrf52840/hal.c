/*
 * nRF52840: 64 MHz from the crystal, UART0 with its 6-byte receive FIFO, FICR device number.
 * Registers from the nRF52840 Product Specification 1.7.
 */
#include "hal.h"

#include "board.h"
#include "cortex_m.h"

#define FICR_PART_VARIANT REG32(0x10000130u) /* 8 on this chip, next word is the silicon revision */
#define FICR_PART_REVISION REG32(0x10000134u)
#define FICR_DEVICEID(n) REG32(0x10000060u + 4u * (n))
#define UICR_APPROTECT REG32(0x10001208u)
#define APPROTECT_DISABLE REG32(0x40000558u)

#define CLOCK_TASKS_HFCLKSTART REG32(0x40000000u)
#define CLOCK_EVENTS_HFCLKSTARTED 0x40000100u

#define NVMC_ICACHECNF REG32(0x4001E540u)

#define GPIO_OUTSET(port) REG32(0x50000508u + 0x300u * (port))
#define GPIO_DIRSET(port) REG32(0x50000518u + 0x300u * (port))
#define GPIO_PIN_CNF(port, pin) REG32(0x50000700u + 0x300u * (port) + 4u * (pin))

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

#define PSEL(port, pin) (((port) << 5) | (pin))

/*
 * From silicon revision 3 on the debug port stays locked after reset until firmware copies the
 * setting out of UICR (Product Specification, "Access port protection").
 */
static void unlock_debug_port(void) {
    if (FICR_PART_VARIANT == 8u && FICR_PART_REVISION >= 3u) {
        APPROTECT_DISABLE = UICR_APPROTECT;
    }
}

static void start_uart(void) {
    GPIO_OUTSET(BOARD_UART_TX_PORT) = 1u << BOARD_UART_TX_PIN; /* idle level before the pin drives */
    GPIO_DIRSET(BOARD_UART_TX_PORT) = 1u << BOARD_UART_TX_PIN;
    GPIO_PIN_CNF(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN) = 3u << 2; /* input with pull-up */
    UART_ENABLE = 0u;
    UART_PSEL_TXD = PSEL(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN);
    UART_PSEL_RXD = PSEL(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN);
    UART_BAUDRATE = 0x01D7E000u; /* 115200 */
    UART_CONFIG = 0u;            /* 8N1, no flow control */
    UART_ENABLE = 4u;
    UART_EVENTS_RXDRDY = 0u;
    UART_EVENTS_TXDRDY = 0u;
    UART_TASKS_STARTTX = 1u;
    UART_TASKS_STARTRX = 1u;
}

void hal_init(void) {
    unlock_debug_port();
    CLOCK_TASKS_HFCLKSTART = 1u;
    (void)wait_for_bits(CLOCK_EVENTS_HFCLKSTARTED, 1u);
    NVMC_ICACHECNF = 1u; /* instruction cache on */
    start_uart();
    cycle_counter_start();
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
    return cycle_counter_read();
}

void hal_device_id(uint8_t id[8]) {
    store_word(id, FICR_DEVICEID(0u));
    store_word(id + 4, FICR_DEVICEID(1u));
}
