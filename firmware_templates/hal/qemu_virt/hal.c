/*
 * QEMU's generic RISC-V machine `virt`: a 16550 UART, whose speed is that of the host, no unique number.
 * Registers from the PC16550D data sheet, one byte each.
 */
#include "hal.h"

#include "board.h"
#include "riscv.h"
#include "soc.h"

#define REG8(address) (*(volatile uint8_t *)(uintptr_t)(address))

#define UART_DATA REG8(SOC_UART + 0u)
#define UART_INTERRUPTS REG8(SOC_UART + 1u)
#define UART_FIFO REG8(SOC_UART + 2u)
#define UART_LINE REG8(SOC_UART + 3u)
#define UART_STATE REG8(SOC_UART + 5u)

#define STATE_RECEIVED (1u << 0)
#define STATE_TX_EMPTY (1u << 5)
#define STATE_TX_IDLE (1u << 6)

#define FINISHER_RESET 0x7777u

void hal_init(void) {
    UART_INTERRUPTS = 0u;
    UART_FIFO = 1u;
    UART_LINE = 3u; /* 8N1 */
}

uint8_t hal_uart_read_byte(void) {
    while ((UART_STATE & STATE_RECEIVED) == 0u) {
    }
    return UART_DATA;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        while ((UART_STATE & STATE_TX_EMPTY) == 0u) {
        }
        UART_DATA = data[i];
    }
}

void hal_reset(void) {
    while ((UART_STATE & STATE_TX_IDLE) == 0u) {
    }
    REG32(SOC_FINISHER) = FINISHER_RESET;
    start_again();
}

uint32_t hal_cycles(void) {
    return cycle_counter_read();
}

void hal_device_id(uint8_t id[8]) {
    store_word(id, 0u);
    store_word(id + 4, 0u);
}
