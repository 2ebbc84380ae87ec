/*
 * MPS2 and MPS3 boards with Arm's FPGA images: CMSDK APB UART 0, no unique number. Images with an SSE-300
 * count cycles by its system counter, others do not count them. Registers from the manuals of the Cortex-M
 * System Design Kit and of the SSE-300.
 */
#include "hal.h"

#include "board.h"
#include "cortex_m.h"
#include "soc.h"

#define UART_DATA REG32(SOC_UART + 0x00u)
#define UART_STATE REG32(SOC_UART + 0x04u)
#define UART_CTRL REG32(SOC_UART + 0x08u)
#define UART_BAUDDIV REG32(SOC_UART + 0x10u)

#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u

void hal_init(void) {
    UART_BAUDDIV = BOARD_CLOCK_HZ / BOARD_UART_BAUD;
    UART_CTRL = 3u; /* transmitter and receiver on */
#if defined(SOC_COUNTER_CONTROL)
    REG32(SOC_COUNTER_CONTROL) = 1u; /* CNTCR.EN */
#else
    cycle_counter_start();
#endif
}

uint8_t hal_uart_read_byte(void) {
    while ((UART_STATE & STATE_RX_FULL) == 0u) {
    }
    return (uint8_t)UART_DATA;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        while ((UART_STATE & STATE_TX_FULL) != 0u) {
        }
        UART_DATA = data[i];
    }
}

void hal_reset(void) {
    while ((UART_STATE & STATE_TX_FULL) != 0u) {
    }
    wait_for_two_bytes(); /* the register that shifts does not tell when it is empty */
    system_reset();
}

uint32_t hal_cycles(void) {
#if defined(SOC_COUNTER_CONTROL)
    return REG32(SOC_COUNTER_STATUS); /* the lower half of CNTCV */
#else
    return cycle_counter_read();
#endif
}

void hal_device_id(uint8_t id[8]) {
    store_word(id, 0u);
    store_word(id + 4, 0u);
}
