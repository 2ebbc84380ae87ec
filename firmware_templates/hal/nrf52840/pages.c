/*
 * Two pages of the nRF52840's flash for the counters of a 6LoWPAN node, through NVMC (Product Specification 1.7).
 */
#include "hal.h"
#include "lowpan_config.h"
#include "lowpan_store.h"
#include "registers.h"

#define PAGE_BYTES (4u * LOWPAN_STORE_WORDS)
#define NVMC_READY 0x4001E400u
#define NVMC_CONFIG REG32(0x4001E504u)
#define NVMC_ERASEPAGEPARTIAL REG32(0x4001E518u)
#define NVMC_ERASEPAGEPARTIALCFG REG32(0x4001E51Cu)

static uint32_t address_of(uint32_t page, uint32_t word) {
    return LOWPAN_STORE_ADDRESS + PAGE_BYTES * page + 4u * word;
}

uint32_t lowpan_page_read(uint32_t page, uint32_t word) {
    return REG32(address_of(page, word));
}

#if BOARD_HAS_SLOTS
/* Nothing that comes over the serial port meanwhile is lost. */
void lowpan_page_write(uint32_t page, uint32_t word, const uint32_t words[2]) {
    hal_flash_write(address_of(page, word), words, 2u);
}

void lowpan_page_erase(uint32_t page) {
    hal_flash_erase(address_of(page, 0u));
}
#else
#define ERASE_STEP_MS 10u
#define ERASE_STEPS 10u /* tERASEPAGE is 85 ms, and a ms may be 8 % less without the crystal */

void lowpan_page_write(uint32_t page, uint32_t word, const uint32_t words[2]) {
    NVMC_CONFIG = 1u;
    for (uint32_t i = 0u; i < 2u; i++) {
        REG32(address_of(page, word + i)) = words[i];
        __asm volatile("dsb" ::: "memory"); /* it has left the core before READY is asked */
        (void)wait_for_bits(NVMC_READY, 1u);
    }
    NVMC_CONFIG = 0u;
}

void lowpan_page_erase(uint32_t page) {
    NVMC_CONFIG = 2u;
    NVMC_ERASEPAGEPARTIALCFG = ERASE_STEP_MS;
    for (uint32_t step = 0u; step < ERASE_STEPS; step++) {
        NVMC_ERASEPAGEPARTIAL = address_of(page, 0u);
        __asm volatile("dsb" ::: "memory");
        (void)wait_for_bits(NVMC_READY, 1u);
    }
    NVMC_CONFIG = 0u;
}
#endif
