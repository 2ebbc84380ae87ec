#include "flash_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash.h"

#define PAGE_WORDS (SLOT_PAGE_BYTES / 4u)
#define WHOLE 16u

struct flash_sim flash_sim;
uint32_t (*flash_sim_hook)(uint32_t address, uint32_t value);
jmp_buf flash_sim_power_lost;

static void fail(const char *what, uint32_t address) {
    printf("flash: %s at 0x%05x, operation %u\n", what, (unsigned)address, (unsigned)flash_sim.operations);
    exit(1);
}

uint32_t flash_sim_random(void) {
    uint64_t x = flash_sim.random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    flash_sim.random = x;
    return (uint32_t)((x * 0x2545F4914F6CDD1Du) >> 32);
}

void flash_sim_reset(uint64_t seed) {
    memset(&flash_sim, 0, sizeof flash_sim);
    memset(flash_sim.bytes, 0xFF, sizeof flash_sim.bytes);
    flash_sim.random = seed * 2u + 0x9E3779B97F4A7C15u;
}

static uint32_t get(uint32_t index) {
    uint32_t word;
    memcpy(&word, flash_sim.bytes + 4u * index, 4u);
    return word;
}

static void set(uint32_t index, uint32_t word) {
    memcpy(flash_sim.bytes + 4u * index, &word, 4u);
}

static void shake(uint32_t index) {
    const uint32_t mask = flash_sim.unstable[index];
    set(index, (get(index) & ~mask) | (flash_sim_random() & mask));
}

void flash_sim_power_up(void) {
    flash_sim.flicker = 0u;
    if (flash_sim.unstable_words == 0u) {
        return;
    }
    flash_sim.unstable_words = 0u;
    for (uint32_t i = 0u; i < FLASH_SIM_WORDS; i++) {
        if (flash_sim.unstable[i] != 0u) {
            shake(i);
            flash_sim.unstable_words++;
        }
    }
}

uint32_t flash_sim_peek(uint32_t address) {
    return get(address / 4u);
}

uint32_t flash_word(uint32_t address) {
    if (address % 4u != 0u || address > FLASH_SIM_BYTES - 4u) {
        fail("bad read", address);
    }
    if (flash_sim.unstable[address / 4u] != 0u && flash_sim.flicker) {
        shake(address / 4u);
    }
    return get(address / 4u);
}

const uint8_t *flash_at(uint32_t address) {
    if (address >= FLASH_SIM_BYTES) {
        fail("bad read", address);
    }
    return flash_sim.bytes + address;
}

static void write_word(uint32_t index, uint32_t word) {
    set(index, get(index) & word);
    flash_sim.unstable[index] &= word;
    flash_sim.writes[index] = (uint8_t)(flash_sim.writes[index] + 1u + WHOLE);
}

static void erase_page(uint32_t first) {
    memset(flash_sim.bytes + 4u * first, 0xFF, SLOT_PAGE_BYTES);
    memset(flash_sim.unstable + first, 0, SLOT_PAGE_BYTES);
    memset(flash_sim.writes + first, 0, PAGE_WORDS);
}

/*
 * Moves some of the bits in `change` to `to`: hardly any, about half, or nearly all. In the unstable modes some
 * others become marginal: all, about half, or one of sixteen, with those around it moved or not.
 */
static void partly(uint32_t index, uint32_t change, uint32_t to, uint32_t mode) {
    const uint32_t now = get(index), few = flash_sim_random() & flash_sim_random() & flash_sim_random();
    const uint32_t level = flash_sim_random() % 6u;
    uint32_t some = flash_sim_random(), marginal = 0u;
    some = level == 0u ? few : level == 1u ? ~few : some;
    if (mode >= CUT_UNSTABLE) {
        marginal = level == 2u ? FLASH_BLANK : flash_sim_random();
        if (level >= 3u) {
            marginal = few & flash_sim_random();
            some = level == 3u ? 0u : ~marginal;
        }
        flash_sim.unstable[index] |= change & marginal;
        flash_sim.unstable_words++;
    }
    set(index, (now & ~(change & some)) | (to & change & some));
}

void flash_sim_cut(uint32_t address, uint32_t value, uint32_t is_erase, uint32_t mode) {
    const uint32_t index = address / 4u;
    if (mode == CUT_BEFORE) {
        return;
    }
    if (!is_erase) {
        if (mode == CUT_AFTER) {
            write_word(index, value);
        } else {
            flash_sim.writes[index]++;
            partly(index, get(index) & ~value, 0u, mode);
        }
        return;
    }
    if (mode == CUT_AFTER) {
        erase_page(index);
        return;
    }
    /* Cells may have been lifted, so that each counts as blank if it reads so. */
    memset(flash_sim.writes + index, 0, PAGE_WORDS);
    for (uint32_t i = index; i < index + PAGE_WORDS; i++) {
        if (mode == CUT_WORDS) {
            if (flash_sim_random() & 1u) {
                set(i, FLASH_BLANK);
                flash_sim.unstable[i] = 0u;
            }
        } else {
            partly(i, ~get(i), FLASH_BLANK, mode);
        }
    }
}

static void operation(uint32_t address, uint32_t value, uint32_t is_erase) {
    flash_sim.operations++;
    if (flash_sim_hook == 0) {
        return;
    }
    const uint32_t mode = flash_sim_hook(address, value);
    if (mode != CUT_MODES) {
        flash_sim_cut(address, value, is_erase, mode);
        longjmp(flash_sim_power_lost, 1);
    }
}

void flash_write(uint32_t address, const uint32_t *words, uint32_t count) {
    if (address % 4u != 0u || count == 0u || count > (FLASH_SIM_BYTES - address) / 4u) {
        fail("bad write", address);
    }
    for (uint32_t i = 0u; i < count; i++) {
        const uint32_t index = address / 4u + i;
        if (get(index) != FLASH_BLANK || flash_sim.writes[index] >= WHOLE) {
            fail("a word is written that is not blank", 4u * index);
        }
        operation(4u * index, words[i], 0u);
        if (flash_sim.writes[index] >= 3u) {
            fail("a word is written too often", 4u * index);
        }
        write_word(index, words[i]);
    }
}

void flash_erase(uint32_t address) {
    if (address % SLOT_PAGE_BYTES != 0u || address < SLOT_PRIMARY || address >= FLASH_SIM_BYTES) {
        fail("bad erase", address);
    }
    operation(address, FLASH_BLANK, 1u);
    erase_page(address / 4u);
}
