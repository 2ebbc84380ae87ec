/*
 * Two models, used where they lie. Nothing moves: a new one is tried for one boot, then it is kept or the
 * other one is. The journal has one of two states with a slot, or none.
 */
#include "model_slot.h"

#include "flash.h"
#include "image.h"
#include "journal.h"
#include "request.h"
#include "slots.h"
#include "trailer.h"

#if SLOT_MODEL_PAGES

#define IMAGE_BYTES ((SLOT_MODEL_PAGES - 1u) * SLOT_PAGE_BYTES)

/* States. */
#define KEPT 0x10u
#define TRIED 0x20u /* about to be used for the first time */
#define NO_SLOT 2u

static uint32_t slot_in(uint32_t model, uint32_t state) {
    return (model & ~1u) == state ? model & 1u : NO_SLOT;
}

static uint32_t check(const struct journal *journal, uint32_t slot, struct image *image) {
    return image_check_model(MODEL_SLOT(slot), IMAGE_BYTES, journal->model_counter, image);
}

/* What the other slot asked for is over first: else it would be tried again. */
static void keep(struct journal *journal, uint32_t slot) {
    flash_erase(MODEL_TRAILER(slot ^ 1u));
    journal_mark_model(journal, KEPT | slot);
}

/* A model had its trial in the boot before. */
static void judge(struct journal *journal, struct boot_report *report, uint32_t slot) {
    struct image image;
    /* The request was read before its trial: only the confirmation counts, whatever its words read now. */
    if (flash_word(MODEL_END(slot) - TRAILER_IMAGE_OK) == TRAILER_SET) {
        journal_mark_model(journal, KEPT | slot); /* the other slot may have a new one that asks by now */
    } else if (check(journal, slot ^ 1u, &image) == IMAGE_OK) {
        keep(journal, slot ^ 1u);
        report->event = BOOT_REVERTED;
        report->reason = IMAGE_UNCONFIRMED;
    } else {
        keep(journal, slot);
    }
}

/* A slot that asks to be tried in place of the one that is kept. Returns 1 when it is to be used now. */
static uint32_t obey(struct journal *journal, struct boot_report *report, uint32_t slot) {
    const uint32_t request = request_model_pending(slot);
    struct image image;
    if (request != REQUEST_TEST && request != REQUEST_PERMANENT) {
        return 0u;
    }
    const uint32_t fault = check(journal, slot, &image);
    if (fault != IMAGE_OK) {
        flash_erase(MODEL_TRAILER(slot));
        report->event = BOOT_REFUSED;
        report->reason = fault;
        return 0u;
    }
    report->event = BOOT_SWAPPED;
    if (request == REQUEST_PERMANENT) {
        keep(journal, slot);
        return 0u;
    }
    /* How the kept one came to be kept is over: what its slot asks for from now on is new. */
    flash_erase(MODEL_TRAILER(slot ^ 1u));
    journal_mark_model(journal, TRIED | slot);
    return 1u;
}

uint32_t model_decide(struct boot_report *report) {
    struct journal journal;
    struct image image;
    journal_open(&journal);
    const uint32_t tried = slot_in(journal.model, TRIED);
    if (tried != NO_SLOT) {
        judge(&journal, report, tried);
    }
    uint32_t kept = slot_in(journal.model, KEPT);
    if (kept == NO_SLOT || check(&journal, kept, &image) != IMAGE_OK) {
        /* None, or one that is damaged: any that is valid. */
        const uint32_t damaged = kept;
        kept = damaged == 0u ? 1u : 0u;
        if (check(&journal, kept, &image) != IMAGE_OK) {
            kept ^= 1u;
            if (kept == damaged || check(&journal, kept, &image) != IMAGE_OK) {
                return 0u;
            }
        }
        if (damaged != NO_SLOT) {
            keep(&journal, kept);
        } else {
            journal_mark_model(&journal, KEPT | kept); /* the other one may ask for a trial */
        }
        report->event = BOOT_INSTALLED;
    }
    if (obey(&journal, report, kept ^ 1u)) {
        report->trial = BOOT_TRIAL_MODEL;
        return MODEL_SLOT(kept ^ 1u);
    }
    const uint32_t now = slot_in(journal.model, KEPT);
    if (now != kept && check(&journal, now, &image) != IMAGE_OK) {
        return 0u; /* it was valid a moment ago */
    }
    if (image.counter > journal.model_counter) {
        journal.model_counter = image.counter;
        journal.settled = 0u;
        journal_roll(&journal);
    }
    if (!journal.settled) {
        journal_settle(&journal);
    }
    return MODEL_SLOT(now);
}

#endif
