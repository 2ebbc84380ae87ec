/*
 * The swap of two images, page by page, and the decision what to start.
 *
 * The new image lies one page further in the secondary slot than it will in the primary, so that each page
 * has a free place: old page i goes to place i, new page i comes from place i + 1. Every step copies from a
 * page that stays whole until the step is in the journal: power may fail at any time, the step is repeated.
 */
#include "swap.h"

#include "flash.h"
#include "image.h"
#include "journal.h"
#include "request.h"
#include "slots.h"
#include "trailer.h"

#define IMAGE_BYTES (SLOT_IMAGE_PAGES * SLOT_PAGE_BYTES)

/* The longest way: a swap, its revert, an image that is bad in its place, installing it, and the rest. */
#define TURNS 6u

static uint32_t primary(uint32_t page) {
    return SLOT_PRIMARY + page * SLOT_PAGE_BYTES;
}

static uint32_t secondary(uint32_t page) {
    return SLOT_SECONDARY + page * SLOT_PAGE_BYTES;
}

static uint32_t pages_of(const struct image *image) {
    return (image->size + SLOT_PAGE_BYTES - 1u) / SLOT_PAGE_BYTES;
}

static void copy(uint32_t from, uint32_t to) {
    flash_erase(to);
    for (uint32_t offset = 0u; offset < SLOT_PAGE_BYTES; offset += 4u) {
        const uint32_t word = flash_word(from + offset);
        if (word != FLASH_BLANK) {
            flash_write(to + offset, &word, 1u);
        }
    }
}

/* Erases the trailers' pages: their words may be hard to read even where they look blank. */
static void erase_trailers(void) {
    flash_erase(SECONDARY_TRAILER);
    flash_erase(PRIMARY_TRAILER);
}

static void go_on_swapping(struct journal *journal) {
    const uint32_t kind = JOURNAL_KIND(journal->state);
    uint32_t page = JOURNAL_INDEX(journal->state);
    uint32_t saved = kind == JOURNAL_SAVED;
    if (kind == JOURNAL_START) {
        erase_trailers(); /* the journal knows of the request by now */
    } else if (kind == JOURNAL_MOVED) {
        page++;
    }
    for (; page < journal->pages; page++) {
        if (!saved) {
            copy(primary(page), secondary(page));
            journal_mark(journal, JOURNAL_SAVED, page);
        }
        copy(secondary(page + 1u), primary(page));
        journal_mark(journal, JOURNAL_MOVED, page);
        saved = 0u;
    }
    flash_erase(PRIMARY_TRAILER);
    trailer_write(PRIMARY_END, TRAILER_COPY_DONE, TRAILER_SET);
    if (journal->permanent) {
        trailer_write(PRIMARY_END, TRAILER_IMAGE_OK, TRAILER_SET);
    }
    trailer_write_magic(PRIMARY_END);
    journal_mark(journal, JOURNAL_SWAPPED, 0u);
}

static void go_on_reverting(struct journal *journal) {
    const uint32_t kind = JOURNAL_KIND(journal->state);
    uint32_t left = JOURNAL_INDEX(journal->state);
    uint32_t returned = kind == JOURNAL_RETURNED;
    if (kind == JOURNAL_REVERT) {
        left = journal->pages;
    } else if (returned) {
        left++;
    }
    while (left > 0u) {
        const uint32_t page = left - 1u;
        if (!returned) {
            copy(primary(page), secondary(page + 1u));
            journal_mark(journal, JOURNAL_RETURNED, page);
        }
        copy(secondary(page), primary(page));
        journal_mark(journal, JOURNAL_RESTORED, page);
        returned = 0u;
        left = page;
    }
    erase_trailers();
    journal_mark(journal, JOURNAL_REVERTED, journal->reason);
}

/* Copies the secondary slot's image into the primary; always all of it, the source stays. */
static void go_on_installing(struct journal *journal) {
    const uint32_t from = JOURNAL_INDEX(journal->state);
    struct image image;
    if (from > 1u || image_check(secondary(from), IMAGE_BYTES, journal->counter, &image) != IMAGE_OK) {
        journal_mark(journal, JOURNAL_IDLE, 0u);
        return;
    }
    for (uint32_t page = 0u; page < pages_of(&image); page++) {
        copy(secondary(page + from), primary(page));
    }
    flash_erase(PRIMARY_TRAILER);
    if (!trailer_is_blank(SECONDARY_END)) {
        flash_erase(SECONDARY_TRAILER); /* what it asks for is done */
    }
    journal_mark(journal, JOURNAL_INSTALLED, 0u);
}

/* The new image is in its place. Returns 1 when it may run. */
static uint32_t try_out(struct journal *journal, struct boot_report *report) {
    struct image image;
    const uint32_t fault = image_check(SLOT_PRIMARY, IMAGE_BYTES, journal->counter, &image);
    if (fault != IMAGE_OK) {
        journal->reason = fault;
        journal_mark(journal, JOURNAL_REVERT, fault);
        return 0u;
    }
    report->event = BOOT_SWAPPED;
    if (journal->permanent) {
        journal_mark(journal, JOURNAL_CONFIRMED, 0u);
        return 0u;
    }
    journal_mark(journal, JOURNAL_TESTED, 0u);
    return 1u;
}

/* A new image ran in the boot before: it has confirmed itself, or it has had its chance. */
static void judge(struct journal *journal) {
    if (flash_word(PRIMARY_END - TRAILER_IMAGE_OK) == TRAILER_SET) {
        journal_mark(journal, JOURNAL_CONFIRMED, 0u);
    } else {
        journal->reason = IMAGE_UNCONFIRMED;
        journal_mark(journal, JOURNAL_REVERT, IMAGE_UNCONFIRMED);
    }
}

/* Ends a request. Its words go last: it is refused twice rather than forgotten. */
static void refuse(struct journal *journal, struct boot_report *report, uint32_t fault) {
    journal_mark(journal, JOURNAL_REFUSED, fault);
    journal_settle(journal);
    flash_erase(SECONDARY_TRAILER);
    report->event = BOOT_REFUSED;
}

/* The primary slot's image is valid. Returns 1 when a request is to be followed first. */
static uint32_t obey(struct journal *journal, struct boot_report *report, const struct image *old) {
    const uint32_t request = request_pending();
    struct image new;
    if (request != REQUEST_TEST && request != REQUEST_PERMANENT) {
        return 0u;
    }
    const uint32_t fault = image_check(SECONDARY_IMAGE, IMAGE_BYTES, journal->counter, &new);
    if (fault != IMAGE_OK) {
        refuse(journal, report, fault);
        return 0u;
    }
    journal->pages = pages_of(&new) > pages_of(old) ? pages_of(&new) : pages_of(old);
    journal->permanent = request == REQUEST_PERMANENT;
    journal_roll(journal);
    journal_mark(journal, JOURNAL_START, 0u);
    return 1u;
}

/*
 * The primary slot has no valid image. The secondary may have one in two places: an upload, or after a swap
 * the image that was there before. Returns 1 when one of them is to be installed.
 */
static uint32_t replace(struct journal *journal, struct boot_report *report) {
    struct image image;
    const uint32_t fault = image_check(SECONDARY_IMAGE, IMAGE_BYTES, journal->counter, &image);
    const uint32_t request = request_pending();
    if (fault == IMAGE_OK) {
        journal_mark(journal, JOURNAL_INSTALL, 1u);
    } else if (image_check(SLOT_SECONDARY, IMAGE_BYTES, journal->counter, &image) == IMAGE_OK) {
        journal_mark(journal, JOURNAL_INSTALL, 0u);
    } else {
        if (request == REQUEST_TEST || request == REQUEST_PERMANENT) {
            refuse(journal, report, fault);
        }
        return 0u;
    }
    report->event = BOOT_INSTALLED;
    return 1u;
}

/* Nothing is going on. Returns 1 when that has changed, else `start` is the answer. */
static uint32_t rest(struct journal *journal, struct boot_report *report, uint32_t *start) {
    struct image image;
    journal_settle(journal);
    const uint32_t fault = image_check(SLOT_PRIMARY, IMAGE_BYTES, journal->counter, &image);
    if (fault != IMAGE_OK) {
        report->reason = fault;
        return replace(journal, report);
    }
    if (image.counter > journal->counter) {
        journal->counter = image.counter; /* confirmed, or put there by whoever may write the slot */
        journal_roll(journal);
        journal_settle(journal);
    }
    if (obey(journal, report, &image)) {
        return 1u;
    }
    report->reason = IMAGE_OK;
    *start = image.body;
    return 0u;
}

static uint32_t decide(struct journal *journal, struct boot_report *report) {
    uint32_t start = 0u;
    const uint32_t found = JOURNAL_KIND(journal->state);
    if (found == JOURNAL_TESTED) {
        judge(journal);
    } else if (found < JOURNAL_IDLE) {
        journal_mark(journal, found, JOURNAL_INDEX(journal->state)); /* read once, said for good */
    }
    for (uint32_t turn = 0u; turn < TURNS; turn++) {
        switch (JOURNAL_KIND(journal->state)) {
        case JOURNAL_START:
        case JOURNAL_SAVED:
        case JOURNAL_MOVED:
            go_on_swapping(journal);
            break;
        case JOURNAL_REVERT:
        case JOURNAL_RETURNED:
        case JOURNAL_RESTORED:
            go_on_reverting(journal);
            report->event = BOOT_REVERTED;
            break;
        case JOURNAL_INSTALL:
            go_on_installing(journal);
            break;
        default:
            break;
        }
        if (JOURNAL_KIND(journal->state) == JOURNAL_SWAPPED) {
            if (try_out(journal, report)) {
                return SLOT_PRIMARY + SLOT_HEADER_BYTES;
            }
        } else if (JOURNAL_KIND(journal->state) >= JOURNAL_IDLE && !rest(journal, report, &start)) {
            return start;
        }
    }
    return 0u;
}

uint32_t boot_may_upload(void) {
    struct journal journal;
    journal_open(&journal);
    return JOURNAL_KIND(journal.state) >= JOURNAL_IDLE;
}

uint32_t boot_decide(struct boot_report *report) {
    struct journal journal;
    report->event = BOOT_NOTHING;
    report->reason = IMAGE_OK;
    image_key_name(report->key);
    journal_open(&journal);
    const uint32_t start = decide(&journal, report);
    const uint32_t kind = JOURNAL_KIND(journal.state);
    if (kind == JOURNAL_REVERTED || kind == JOURNAL_REFUSED) {
        report->reason = JOURNAL_INDEX(journal.state);
    }
    report->counter = journal.counter;
    report->trial = kind == JOURNAL_TESTED ? BOOT_TRIAL_FIRMWARE : 0u;
    return start;
}
