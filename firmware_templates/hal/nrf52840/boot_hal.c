/*
 * The bootloader's part of the nRF52840. Registers from the nRF52840 Product Specification 1.7.
 */
#include "boot_hal.h"

#include "board.h"
#include "cortex_m.h"

#define NVMC_ICACHECNF REG32(0x4001E540u)

#define ACL_ADDR(region) REG32(0x4001E800u + 0x10u * (region))
#define ACL_SIZE(region) REG32(0x4001E804u + 0x10u * (region))
#define ACL_PERM(region) REG32(0x4001E808u + 0x10u * (region))
#define ACL_NO_WRITE 2u

#define GPIO_IN(port) REG32(0x50000510u + 0x300u * (port))
#define GPIO_PIN_CNF(port, pin) REG32(0x50000700u + 0x300u * (port) + 4u * (pin))
#define PIN_INPUT_PULL_UP (3u << 2)
#define PIN_RESET 2u

/* What the pull-up takes to charge the pin, generously. */
#define SETTLE_LOOPS 500u

void boot_hal_init(void) {
    NVMC_ICACHECNF = 1u;
}

uint32_t boot_hal_recovery_button(void) {
#if defined(BOARD_RECOVERY_PIN)
    GPIO_PIN_CNF(BOARD_RECOVERY_PORT, BOARD_RECOVERY_PIN) = PIN_INPUT_PULL_UP;
    for (uint32_t i = 0; i < SETTLE_LOOPS; i++) {
        __asm volatile("nop" ::: "memory");
    }
    const uint32_t held = (GPIO_IN(BOARD_RECOVERY_PORT) >> BOARD_RECOVERY_PIN & 1u) == 0u;
    GPIO_PIN_CNF(BOARD_RECOVERY_PORT, BOARD_RECOVERY_PIN) = PIN_RESET;
    return held;
#else
    return 0u;
#endif
}

void boot_hal_protect(uint32_t address, uint32_t size) {
    const uint32_t region = ACL_PERM(0u) == 0u ? 0u : 1u;
    ACL_ADDR(region) = address;
    ACL_SIZE(region) = size;
    ACL_PERM(region) = ACL_NO_WRITE;
}

void boot_hal_start(uint32_t vectors) {
    const uint32_t stack = REG32(vectors), entry = REG32(vectors + 4u);
    NVMC_ICACHECNF = 0u;
    __asm volatile("cpsid i" ::: "memory");
    SCB_VTOR = vectors;
    __asm volatile("dsb\n"
                   "isb\n"
                   "msr msp, %0\n"
                   "isb\n"
                   "bx %1\n"
                   :
                   : "r"(stack), "r"(entry)
                   : "memory");
    for (;;) {
    }
}
