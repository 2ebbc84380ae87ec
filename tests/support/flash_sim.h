/*
 * Flash for the bootloader's C on this machine: it counts operations, can lose power at any of them, and
 * stops the program where a word is written that is not blank.
 */
#ifndef TINYC_FLASH_SIM_H
#define TINYC_FLASH_SIM_H

#include <setjmp.h>
#include <stdint.h>

#include "slots.h"

#ifndef FLASH_SIM_BYTES
#define FLASH_SIM_BYTES 0x4000u
#endif

#define FLASH_SIM_WORDS (FLASH_SIM_BYTES / 4u)

/* What a loss of power leaves of the operation it hits. */
enum cut {
    CUT_BEFORE,   /* nothing is done */
    CUT_AFTER,    /* all of it */
    CUT_WORDS,    /* some bits of a word are written; some words of a page are erased */
    CUT_BITS,     /* some bits, of a word and of a page */
    CUT_UNSTABLE, /* and some of the others read differently after every start */
    CUT_FLICKER,  /* or at every reading */
    CUT_MODES,
};

struct flash_sim {
    uint8_t bytes[FLASH_SIM_BYTES];
    uint32_t unstable[FLASH_SIM_WORDS]; /* bits that may read either way */
    uint8_t writes[FLASH_SIM_WORDS];    /* since the last erase, whole ones in bits 4 and up */
    uint32_t unstable_words;            /* an upper bound */
    uint32_t operations;
    uint32_t flicker;
    uint64_t random;
};

extern struct flash_sim flash_sim;

/* Called before each operation with its address and value (blank for an erase). Returns CUT_MODES, or a cut. */
extern uint32_t (*flash_sim_hook)(uint32_t address, uint32_t value);

/* Where a cut goes. */
extern jmp_buf flash_sim_power_lost;

uint32_t flash_sim_random(void);

/* Everything blank. */
void flash_sim_reset(uint64_t seed);

/* Marginal cells take other values. */
void flash_sim_power_up(void);

/* What an operation cut in this way leaves behind. */
void flash_sim_cut(uint32_t address, uint32_t value, uint32_t is_erase, uint32_t mode);

uint32_t flash_sim_peek(uint32_t address);

#endif
