/*
 * RADIO, TIMER1 and PPI of the nRF52840, as far as the radio driver needs them (Product Specification 1.7).
 */
#ifndef TINYC_RADIO_REGISTERS_H
#define TINYC_RADIO_REGISTERS_H

#include "registers.h"

#define RADIO(offset) REG32(0x40001000u + (offset))
#define TASKS_TXEN_AT 0x40001000u
#define TASKS_RXEN RADIO(0x004u)
#define TASKS_DISABLE RADIO(0x010u)
#define EVENTS_END RADIO(0x10Cu)
#define EVENTS_END_AT 0x4000110Cu
#define EVENTS_DISABLED RADIO(0x110u)
#define EVENTS_DISABLED_AT 0x40001110u
#define EVENTS_CRCOK RADIO(0x130u)
#define EVENTS_FRAMESTART RADIO(0x138u)
#define EVENTS_CCABUSY RADIO(0x148u)
#define SHORTS RADIO(0x200u)
#define INTENSET RADIO(0x304u)
#define INTENCLR RADIO(0x308u)
#define RXCRC RADIO(0x40Cu)
#define PACKETPTR RADIO(0x504u)
#define FREQUENCY RADIO(0x508u)
#define TXPOWER RADIO(0x50Cu)
#define MODE RADIO(0x510u)
#define PCNF0 RADIO(0x514u)
#define PCNF1 RADIO(0x518u)
#define CRCCNF RADIO(0x534u)
#define CRCPOLY RADIO(0x538u)
#define CRCINIT RADIO(0x53Cu)
#define RSSISAMPLE RADIO(0x548u)
#define STATE RADIO(0x550u)
#define STATE_DISABLED 0u
#define MODECNF0 RADIO(0x650u)
#define CCACTRL RADIO(0x66Cu)
#define POWER RADIO(0xFFCu)

#define INT_DISABLED (1u << 4)
#define END_DISABLE (1u << 1)
#define ADDRESS_RSSISTART (1u << 4)
#define RXREADY_CCASTART (1u << 11)
#define CCAIDLE_TXEN (1u << 12)
#define CCABUSY_DISABLE (1u << 13)
#define TXREADY_START (1u << 18)
#define RXREADY_START (1u << 19)
#define PHYEND_DISABLE (1u << 20)
#define SHORTS_RECEIVE (RXREADY_START | ADDRESS_RSSISTART | END_DISABLE)
#define SHORTS_ASSESS (RXREADY_CCASTART | CCAIDLE_TXEN | CCABUSY_DISABLE | TXREADY_START | PHYEND_DISABLE)
#define SHORTS_SEND (TXREADY_START | PHYEND_DISABLE)

#define MODE_IEEE_802_15_4 15u
#define LENGTH_OF_8_BITS 8u
#define PREAMBLE_OF_ZEROS (2u << 24)
#define LENGTH_HAS_CRC (1u << 26)
#define CRC_OF_TWO (2u | 2u << 8) /* two bytes, over neither address nor length */
#define CRC_POLYNOMIAL 0x11021u
#define FAST_RAMP_UP (1u | 2u << 8) /* and DTX stays at the centre frequency */
#define CCA_ENERGY_ABOVE (20u << 8) /* -92 dBm + 20: 13 dB above the receiver's limit of the standard */

#define TIMER(offset) REG32(0x40009000u + (offset))
#define TIMER_START TIMER(0x000u)
#define TIMER_CLEAR TIMER(0x00Cu)
#define TIMER_CAPTURE(n) TIMER(0x040u + 4u * (n))
#define TIMER_CAPTURE_AT(n) (0x40009040u + 4u * (n))
#define TIMER_COMPARE(n) TIMER(0x140u + 4u * (n))
#define TIMER_COMPARE_AT(n) (0x40009140u + 4u * (n))
#define TIMER_INTENSET TIMER(0x304u)
#define TIMER_INTENCLR TIMER(0x308u)
#define TIMER_BITMODE TIMER(0x508u)
#define TIMER_PRESCALER TIMER(0x510u)
#define TIMER_CC(n) TIMER(0x540u + 4u * (n))
#define TIMER_INT(n) (1u << (16u + (n)))
#define CC_ACK 0u  /* starts the transmitter */
#define CC_END 1u  /* when the last frame ended */
#define CC_WAIT 2u /* end of a backoff, or of waiting for an acknowledgement */
#define CC_NOW 3u

#define PPI_CHENSET REG32(0x4001F504u)
#define PPI_CHENCLR REG32(0x4001F508u)
#define PPI_EVENT(n) REG32(0x4001F510u + 8u * (n))
#define PPI_TASK(n) REG32(0x4001F514u + 8u * (n))
#define PPI_ACK 0u
#define PPI_END 1u

#define NVIC_ISER REG32(0xE000E100u)
#define RADIO_INTERRUPT 1u
#define TIMER1_INTERRUPT 9u

#endif
