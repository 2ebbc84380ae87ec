/*
 * The bootloader's memory of what it does: records that are appended to one of two pages, which nobody else
 * writes. A page begins with a header under a CRC, and counts from the first valid record behind it on.
 */
#ifndef TINYC_JOURNAL_H
#define TINYC_JOURNAL_H

#include <stdint.h>

/* A state is a kind, and an index in the 12 bits below it. */
#define JOURNAL_STATE(kind, index) ((uint32_t)(kind) << 12 | (index))
#define JOURNAL_KIND(state) ((state) >> 12)
#define JOURNAL_INDEX(state) ((state) & 0xFFFu)

enum journal_kind {
    /* The secondary slot's image comes into the primary, page by page from the first on. */
    JOURNAL_START = 1,
    JOURNAL_SAVED = 2,   /* the primary's page lies in the secondary slot, at the same index */
    JOURNAL_MOVED = 3,   /* and the new one is in its place */
    JOURNAL_SWAPPED = 4, /* all of them, and the primary's trailer is written */
    JOURNAL_TESTED = 5,  /* the new image is about to run, for the first time */
    /* And back, from the last page on. */
    JOURNAL_REVERT = 6,   /* the index is why: enum image_fault */
    JOURNAL_RETURNED = 7, /* the primary's page lies in the secondary slot, at the next index */
    JOURNAL_RESTORED = 8, /* and the old one is in its place */
    /* An image for a primary slot that has none; the index is the page where it begins. */
    JOURNAL_INSTALL = 9,
    /* Nothing is going on from here on. */
    JOURNAL_IDLE = 10,
    JOURNAL_CONFIRMED = 11,
    JOURNAL_REVERTED = 12, /* the index is why */
    JOURNAL_INSTALLED = 13,
    JOURNAL_REFUSED = 14, /* the index is why */
    /* No state of its own: see journal.c. */
    JOURNAL_NOTE = 15,
};

struct journal {
    uint32_t page;     /* its address; 0: none counts yet */
    uint32_t sequence; /* of pages: the highest one counts */
    uint32_t counter;  /* security counter that is confirmed */
    uint32_t pages;    /* that are swapped */
    uint32_t permanent;
    uint32_t state;
    uint32_t model;   /* state of the models' slots, 0: none */
    uint32_t model_counter; /* security counter of models */
    uint32_t reason;  /* of the newest JOURNAL_REVERT */
    uint32_t next;    /* word of the page that is written next */
    uint32_t settled; /* no word that is hard to read can change this state any more */
};

void journal_open(struct journal *journal);

/* Appends a state, in the other page where this one is full. */
void journal_mark(struct journal *journal, uint32_t kind, uint32_t index);

/* Starts the other page, with all that `journal` holds. */
void journal_roll(struct journal *journal);

/* Says the state once more, so that it holds for good. */
void journal_settle(struct journal *journal);

/* Appends a state of the model slots, of 8 bits. */
void journal_mark_model(struct journal *journal, uint32_t model);

#endif
