/*
 * Nordic nRF52840 DK. Generated, do not edit.
 */
#ifndef TINYC_BOARD_H
#define TINYC_BOARD_H

#define BOARD_CLOCK_HZ 64000000u
#define BOARD_HAS_DWT 1
#define BOARD_HAS_FPU 1
/* Started by tinyc's bootloader, with the flash map of slots.h; and whether this is the bootloader. */
#define BOARD_HAS_SLOTS 1
#define TINYC_BOOTLOADER 0
#define BOARD_UART_BAUD 115200u
/* Receive buffer of the serial protocol: a message of 4 bytes less. */
#define BOARD_SMP_BUFFER_BYTES 2048u
/* The driver of the radio is there, and has its interrupts. */
#define FIRMWARE_HAS_RADIO 1
#define BOARD_UART_TX_PORT 0u
#define BOARD_UART_TX_PIN 6u
#define BOARD_UART_RX_PORT 0u
#define BOARD_UART_RX_PIN 8u
/* A button that pulls this pin down at reset asks for recovery. */
#define BOARD_RECOVERY_PORT 0u
#define BOARD_RECOVERY_PIN 11u

#endif
