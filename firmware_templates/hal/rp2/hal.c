/*
 * RP2040 and RP2350: the PLL, UART0, the chip's number. Flash can be read already: a boot stage (RP2040) or the ROM
 * (RP2350) has seen to that. The RP2040 counts cycles by SysTick, in 24 bits; the timer, of the same crystal, tells
 * how often it has gone round.
 * Registers from the datasheets of the chips.
 */
#include "hal.h"

#include "board.h"
#include "cortex_m.h"
#include "soc.h"

#define CLEAR_ALIAS 0x3000u
#define CLOCKS_REF_CTRL REG32(SOC_CLOCKS + 0x30u)
#define CLOCKS_REF_SELECTED (SOC_CLOCKS + 0x38u)
#define CLOCKS_SYS_CTRL REG32(SOC_CLOCKS + 0x3Cu)
#define CLOCKS_SYS_SELECTED (SOC_CLOCKS + 0x44u)
#define CLOCKS_PERI_CTRL REG32(SOC_CLOCKS + 0x48u)
#define RESETS_RESET_CLEAR REG32(SOC_RESETS + CLEAR_ALIAS)
#define RESETS_DONE (SOC_RESETS + 0x08u)
#define PSM_WDSEL REG32(SOC_PSM + 0x08u)
#define GPIO_CTRL(pin) REG32(SOC_IO_BANK0 + 0x04u + 8u * (pin))
#define PAD(pin) REG32(SOC_PADS_BANK0 + 0x04u + 4u * (pin))
#define XOSC_CTRL REG32(SOC_XOSC)
#define XOSC_STATUS (SOC_XOSC + 0x04u)
#define XOSC_STARTUP REG32(SOC_XOSC + 0x0Cu)
#define PLL_CS SOC_PLL_SYS
#define PLL_PWR_CLEAR REG32(SOC_PLL_SYS + 0x04u + CLEAR_ALIAS)
#define PLL_FBDIV REG32(SOC_PLL_SYS + 0x08u)
#define PLL_PRIM REG32(SOC_PLL_SYS + 0x0Cu)
#define UART_DR REG32(SOC_UART0)
#define UART_FR REG32(SOC_UART0 + 0x18u)
#define UART_IBRD REG32(SOC_UART0 + 0x24u)
#define UART_FBRD REG32(SOC_UART0 + 0x28u)
#define UART_LCR_H REG32(SOC_UART0 + 0x2Cu)
#define UART_CR REG32(SOC_UART0 + 0x30u)
#define WATCHDOG_CTRL REG32(SOC_WATCHDOG)
#define WATCHDOG_SCRATCH(n) REG32(SOC_WATCHDOG + 0x0Cu + 4u * (n))

#define FR_BUSY (1u << 3)
#define FR_RXFE (1u << 4)
#define FR_TXFF (1u << 5)

#if BOARD_CLOCK_HZ != SOC_VCO_HZ / (SOC_POSTDIV1 * SOC_POSTDIV2) || SOC_VCO_HZ % BOARD_CRYSTAL_HZ != 0
#error "the dividers of the PLL are for another clock"
#endif

#if defined(SOC_IMAGE_TYPE)
/* What the ROM looks for in the first 4096 bytes of flash (RP2350 datasheet, 5.9.5): the vectors come first. */
__attribute__((section(".after_vectors"), used)) static const uint32_t image_definition[] = {
    0xFFFFDED3u, SOC_IMAGE_TYPE, 0x000001FFu, 0u, 0xAB123579u, /* mark, item, end of items, no other block, mark */
};
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
    CLOCKS_SYS_CTRL &= ~1u; /* from there as well while the PLL is set up */
    (void)wait_for_bits(CLOCKS_SYS_SELECTED, 1u << 0);
    CLOCKS_SYS_CTRL = 0u; /* the other source is to be the PLL */
    release(SOC_RESET_PLL_SYS);
    PLL_FBDIV = SOC_VCO_HZ / BOARD_CRYSTAL_HZ;
    PLL_PWR_CLEAR = (1u << 5) | (1u << 0); /* VCOPD, PD */
    (void)wait_for_bits(PLL_CS, 1u << 31);
    PLL_PRIM = (SOC_POSTDIV1 << 16) | (SOC_POSTDIV2 << 12);
    PLL_PWR_CLEAR = 1u << 3; /* POSTDIVPD */
    CLOCKS_SYS_CTRL = 1u;    /* from the PLL */
    (void)wait_for_bits(CLOCKS_SYS_SELECTED, 1u << 1);
    CLOCKS_PERI_CTRL = 1u << 11; /* as the core */
}

static void start_uart(void) {
    const uint32_t divisor = 8u * BOARD_CLOCK_HZ / BOARD_UART_BAUD; /* in 128ths */
    release(SOC_RESET_IO_BANK0 | SOC_RESET_PADS_BANK0 | SOC_RESET_UART0);
    UART_IBRD = divisor >> 7;
    UART_FBRD = ((divisor & 0x7Fu) + 1u) / 2u;
    UART_LCR_H = (3u << 5) | (1u << 4);             /* 8N1, with FIFOs */
    UART_CR = (1u << 9) | (1u << 8) | (1u << 0);    /* receiver, transmitter, on */
    GPIO_CTRL(BOARD_UART_TX_PIN) = 2u;
    GPIO_CTRL(BOARD_UART_RX_PIN) = 2u;
    PAD(BOARD_UART_TX_PIN) = 1u << 4;               /* 4 mA */
    PAD(BOARD_UART_RX_PIN) = (1u << 6) | (1u << 3); /* input with pull-up */
}

#if BOARD_HAS_DWT
#define start_counters cycle_counter_start
#define count_cycles cycle_counter_read
#else
#define MEGAHERTZ 1000000u
#define TIMER_TIMEHW REG32(SOC_TIMER)
#define TIMER_TIMELW REG32(SOC_TIMER + 0x04u)
#define TIMER_TIMERAWL REG32(SOC_TIMER + 0x28u)
#define WATCHDOG_TICK REG32(SOC_WATCHDOG + 0x2Cu)
#define SYST_RVR REG32(0xE000E014u)
#define SYST_CVR REG32(0xE000E018u)

static void start_counters(void) {
    release(SOC_RESET_TIMER);
    WATCHDOG_TICK = (1u << 9) | (BOARD_CRYSTAL_HZ / MEGAHERTZ); /* a microsecond */
    TIMER_TIMELW = 0u;
    TIMER_TIMEHW = 0u;
    SYST_RVR = 0xFFFFFFu;
    SYST_CVR = 0u;
    SYST_CSR = 5u; /* on, with the core's clock */
}

static uint32_t count_cycles(void) {
    const uint32_t exact = 0xFFFFFFu - SYST_CVR; /* modulo 2^24 */
    const uint32_t about = TIMER_TIMERAWL * (BOARD_CLOCK_HZ / MEGAHERTZ);
    return about + ((exact - about + 0x800000u) & 0xFFFFFFu) - 0x800000u;
}
#endif

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
    PSM_WDSEL = SOC_RESET_ALL;
    WATCHDOG_SCRATCH(4u) = 0u; /* the ROM boots from flash */
    WATCHDOG_CTRL = 1u << 31;
    for (;;) {
        __asm volatile("" ::: "memory");
    }
}

uint32_t hal_cycles(void) {
    return count_cycles();
}

void hal_device_id(uint8_t id[8]) {
    store_word(id, REG32(SOC_UNIQUE_ID));
    store_word(id + 4, REG32(SOC_UNIQUE_ID + 4u));
}
