/*
 * STM32 whose USART has the registers ISR, RDR and TDR: one USART or LPUART on two pins of its board, and
 * the unique number. Clocks and addresses are the chip's own, in soc.h.
 */
#include "hal.h"

#include "board.h"
#include "cortex_m.h"
#include "soc.h"

#define GPIO_BASE(port) (SOC_GPIO + 0x400u * (port))
#define GPIO_MODER(port) REG32(GPIO_BASE(port) + 0x00u)
#define GPIO_PUPDR(port) REG32(GPIO_BASE(port) + 0x0Cu)
#define GPIO_AFR(port, pin) REG32(GPIO_BASE(port) + 0x20u + 4u * ((pin) / 8u))

#define USART_CR1 REG32(SOC_UART + 0x00u)
#define USART_BRR REG32(SOC_UART + 0x0Cu)
#define USART_STATUS (SOC_UART + 0x1Cu)
#define USART_ISR REG32(USART_STATUS)
#define USART_ICR REG32(SOC_UART + 0x20u)
#define USART_RDR REG32(SOC_UART + 0x24u)
#define USART_TDR REG32(SOC_UART + 0x28u)

#define CR1_UE_RE_TE (1u << 0 | 1u << 2 | 1u << 3)
#define ISR_ORE (1u << 3)
#define ISR_RXNE (1u << 5)
#define ISR_TC (1u << 6)
#define ISR_TXE (1u << 7)

static void alternate_function(uint32_t port, uint32_t pin) {
    const uint32_t shift = 4u * (pin % 8u);
    GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(0xFu << shift)) | (SOC_UART_FUNCTION << shift);
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << (2u * pin))) | (1u << (2u * pin));
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << (2u * pin))) | (2u << (2u * pin));
}

void hal_init(void) {
    const uint32_t uart_clock = soc_start();
    alternate_function(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN);
    alternate_function(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN);
    USART_CR1 = 0u; /* BRR takes no other value while it is on */
    USART_BRR = soc_uart_divider(uart_clock);
    USART_CR1 = CR1_UE_RE_TE;
    cycle_counter_start();
}

uint8_t hal_uart_read_byte(void) {
    uint32_t status;
    do {
        status = USART_ISR;
        USART_ICR = status & ISR_ORE; /* a byte was lost: the receiver goes on once that is noted */
    } while ((status & ISR_RXNE) == 0u);
    return (uint8_t)USART_RDR;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        while ((USART_ISR & ISR_TXE) == 0u) {
        }
        USART_TDR = data[i];
    }
}

void hal_reset(void) {
    (void)wait_for_bits(USART_STATUS, ISR_TC);
    system_reset();
}

uint32_t hal_cycles(void) {
    return cycle_counter_read();
}

/* 96 bits folded into 64. */
void hal_device_id(uint8_t id[8]) {
    store_word(id, REG32(SOC_UNIQUE_ID) ^ REG32(SOC_UNIQUE_ID + 8u));
    store_word(id + 4, REG32(SOC_UNIQUE_ID + 4u));
}
