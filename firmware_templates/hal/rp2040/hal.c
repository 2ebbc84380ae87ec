/*
 * RP2040: 125 MHz from the PLL, UART0, the flash chip's unique number. The boot stage has let flash be read.
 * SysTick counts cycles in 24 bits; the timer, of the same crystal, tells how often it has gone round.
 * Registers from the RP2040 datasheet.
 */
#include "hal.h"

#include "board.h"
#include "cortex_m.h"

#define CLEAR_ALIAS 0x3000u
#define CLOCKS_REF_CTRL REG32(0x40008030u)
#define CLOCKS_REF_SELECTED 0x40008038u
#define CLOCKS_SYS_CTRL REG32(0x4000803Cu)
#define CLOCKS_SYS_SELECTED 0x40008044u
#define CLOCKS_PERI_CTRL REG32(0x40008048u)
#define RESETS_RESET_CLEAR REG32(0x4000C000u + CLEAR_ALIAS)
#define RESETS_DONE 0x4000C008u
#define PSM_WDSEL REG32(0x40010008u)
#define GPIO_CTRL(pin) REG32(0x40014004u + 8u * (pin))
#define PAD(pin) REG32(0x4001C004u + 4u * (pin))
#define XOSC_CTRL REG32(0x40024000u)
#define XOSC_STATUS 0x40024004u
#define XOSC_STARTUP REG32(0x4002400Cu)
#define PLL_CS 0x40028000u
#define PLL_PWR_CLEAR REG32(0x40028004u + CLEAR_ALIAS)
#define PLL_FBDIV REG32(0x40028008u)
#define PLL_PRIM REG32(0x4002800Cu)
#define UART_DR REG32(0x40034000u)
#define UART_FR REG32(0x40034018u)
#define UART_IBRD REG32(0x40034024u)
#define UART_FBRD REG32(0x40034028u)
#define UART_LCR_H REG32(0x4003402Cu)
#define UART_CR REG32(0x40034030u)
#define TIMER_TIMEHW REG32(0x40054000u)
#define TIMER_TIMELW REG32(0x40054004u)
#define TIMER_TIMERAWL REG32(0x40054028u)
#define WATCHDOG_CTRL REG32(0x40058000u)
#define WATCHDOG_SCRATCH(n) REG32(0x4005800Cu + 4u * (n))
#define WATCHDOG_TICK REG32(0x4005802Cu)
#define SYST_RVR REG32(0xE000E014u)
#define SYST_CVR REG32(0xE000E018u)

#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PLL_SYS (1u << 12)
#define RESET_TIMER (1u << 21)
#define RESET_UART0 (1u << 22)
#define FR_BUSY (1u << 3)
#define FR_RXFE (1u << 4)
#define FR_TXFF (1u << 5)
#define MEGAHERTZ 1000000u

/* 1500 MHz, by 6, by 2. */
#define VCO_HZ 1500000000u
#define POSTDIV1 6u
#define POSTDIV2 2u
#if BOARD_CLOCK_HZ != VCO_HZ / (POSTDIV1 * POSTDIV2) || VCO_HZ % BOARD_CRYSTAL_HZ != 0
#error "the dividers of the PLL are for 125 MHz"
#endif

static void release(uint32_t blocks) {
    RESETS_RESET_CLEAR = blocks;
    (void)wait_for_bits(RESETS_DONE, blocks);
}

static void start_clocks(void) {
    XOSC_STARTUP = (BOARD_CRYSTAL_HZ / 1000u + 128u) / 256u; /* a millisecond */
    XOSC_CTRL = (0xFABu << 12) | 0xAA0u;                     /* on, 1 to 15 MHz */
    (void)wait_for_bits(XOSC_STATUS, 1u << 31);
    CLOCKS_REF_CTRL = 2u; /* from the crystal */
    (void)wait_for_bits(CLOCKS_REF_SELECTED, 1u << 2);
    CLOCKS_SYS_CTRL = 0u; /* from there as well while the PLL is set up */
    (void)wait_for_bits(CLOCKS_SYS_SELECTED, 1u << 0);
    release(RESET_PLL_SYS);
    PLL_FBDIV = VCO_HZ / BOARD_CRYSTAL_HZ;
    PLL_PWR_CLEAR = (1u << 5) | (1u << 0); /* VCOPD, PD */
    (void)wait_for_bits(PLL_CS, 1u << 31);
    PLL_PRIM = (POSTDIV1 << 16) | (POSTDIV2 << 12);
    PLL_PWR_CLEAR = 1u << 3; /* POSTDIVPD */
    CLOCKS_SYS_CTRL = 1u;    /* from the PLL */
    (void)wait_for_bits(CLOCKS_SYS_SELECTED, 1u << 1);
    CLOCKS_PERI_CTRL = 1u << 11; /* as the core */
}

static void start_uart(void) {
    const uint32_t divisor = 8u * BOARD_CLOCK_HZ / BOARD_UART_BAUD; /* in 128ths */
    release(RESET_IO_BANK0 | RESET_PADS_BANK0 | RESET_UART0);
    UART_IBRD = divisor >> 7;
    UART_FBRD = ((divisor & 0x7Fu) + 1u) / 2u;
    UART_LCR_H = (3u << 5) | (1u << 4);             /* 8N1, with FIFOs */
    UART_CR = (1u << 9) | (1u << 8) | (1u << 0);    /* receiver, transmitter, on */
    PAD(BOARD_UART_RX_PIN) = (1u << 6) | (1u << 3); /* input with pull-up */
    GPIO_CTRL(BOARD_UART_TX_PIN) = 2u;
    GPIO_CTRL(BOARD_UART_RX_PIN) = 2u;
}

static void start_counters(void) {
    release(RESET_TIMER);
    WATCHDOG_TICK = (1u << 9) | (BOARD_CRYSTAL_HZ / MEGAHERTZ); /* a microsecond */
    TIMER_TIMELW = 0u;
    TIMER_TIMEHW = 0u;
    SYST_RVR = 0xFFFFFFu;
    SYST_CVR = 0u;
    SYST_CSR = 5u; /* on, with the core's clock */
}

void hal_init(void) {
    start_clocks();
    start_uart();
    start_counters();
}

uint8_t hal_uart_read_byte(void) {
    while ((UART_FR & FR_RXFE) != 0u) {
    }
    return (uint8_t)UART_DR;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        while ((UART_FR & FR_TXFF) != 0u) {
        }
        UART_DR = data[i];
    }
}

/* SYSRESETREQ would leave clocks and peripherals as they are: the watchdog resets all but the oscillators. */
void hal_reset(void) {
    while ((UART_FR & FR_BUSY) != 0u) {
    }
    PSM_WDSEL = 0x1FFFCu;
    WATCHDOG_SCRATCH(4u) = 0u; /* the ROM boots from flash */
    WATCHDOG_CTRL = 1u << 31;
    for (;;) {
        __asm volatile("" ::: "memory");
    }
}

uint32_t hal_cycles(void) {
    const uint32_t exact = 0xFFFFFFu - SYST_CVR; /* modulo 2^24 */
    const uint32_t about = TIMER_TIMERAWL * (BOARD_CLOCK_HZ / MEGAHERTZ);
    return about + ((exact - about + 0x800000u) & 0xFFFFFFu) - 0x800000u;
}

/* What the boot stage has read from the flash chip. */
void hal_device_id(uint8_t id[8]) {
    store_word(id, WATCHDOG_SCRATCH(0u));
    store_word(id + 4, WATCHDOG_SCRATCH(1u));
}
