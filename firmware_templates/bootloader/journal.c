/*
 * The journal. A record is 16 bits and their complement: whichever bits a torn write leaves out or a torn
 * erase lifts, the two halves no longer fit, and the record does not count. Words are written once; a damaged
 * one is passed over.
 *
 * A word whose writing was cut may read right in one boot and wrong in the next. So whoever acts on a state
 * appends it again first, and one that nobody will act on is followed by SETTLED: that is written only when
 * the state before it is whole.
 */
#include "journal.h"

#include "crc32.h"
#include "flash.h"
#include "slots.h"

#define WORDS (SLOT_PAGE_BYTES / 4u)
#define MAGIC 0x4A4E5243u

enum header { H_MAGIC, H_SEQUENCE, H_COUNTER, H_PAGES, H_STATE, H_MODEL, H_MODEL_COUNTER, H_CRC, H_WORDS };

#define PERMANENT 0x80000000u /* in H_PAGES */

#define COMMIT JOURNAL_STATE(JOURNAL_NOTE, 1u)
#define SETTLED JOURNAL_STATE(JOURNAL_NOTE, 2u)
#define MODEL JOURNAL_STATE(JOURNAL_NOTE, 0x100u)

static uint32_t header_crc(const uint32_t header[H_WORDS]) {
    return crc32(0u, header, 4u * H_CRC);
}

/* Reads a page, each word once. Returns 1 when it counts. */
static uint32_t read_page(uint32_t page, struct journal *journal) {
    uint32_t header[H_WORDS];
    uint32_t used = H_WORDS - 1u, counts = 0u;
    for (uint32_t i = 0u; i < H_WORDS; i++) {
        header[i] = flash_word(page + 4u * i);
    }
    if (header[H_MAGIC] != MAGIC || header[H_CRC] != header_crc(header)) {
        return 0u;
    }
    journal->page = page;
    journal->sequence = header[H_SEQUENCE];
    journal->counter = header[H_COUNTER];
    journal->pages = header[H_PAGES] & ~PERMANENT;
    journal->permanent = (header[H_PAGES] & PERMANENT) != 0u;
    journal->state = header[H_STATE];
    journal->model = header[H_MODEL];
    journal->model_counter = header[H_MODEL_COUNTER];
    journal->reason = 0u;
    journal->settled = 0u;
    for (uint32_t i = H_WORDS; i < WORDS; i++) {
        const uint32_t word = flash_word(page + 4u * i);
        const uint32_t state = word & 0xFFFFu;
        if (word == FLASH_BLANK) {
            continue;
        }
        used = i;
        if (word != code_word(state)) {
            continue;
        }
        counts = 1u;
        journal->settled = state == SETTLED;
        if (JOURNAL_KIND(state) != JOURNAL_NOTE) {
            journal->state = state;
            journal->reason = JOURNAL_KIND(state) == JOURNAL_REVERT ? JOURNAL_INDEX(state) : journal->reason;
        } else if ((state & MODEL) == MODEL) {
            journal->model = state & 0xFFu;
        }
    }
    /* The word behind may be written and read blank all the same: it is left alone. */
    journal->next = used + 2u;
    return counts && journal->pages <= SLOT_IMAGE_PAGES;
}

void journal_open(struct journal *journal) {
    struct journal other;
    const uint32_t first = read_page(SLOT_JOURNAL, journal);
    const uint32_t second = read_page(SLOT_JOURNAL + SLOT_PAGE_BYTES, &other);
    if (second && (!first || other.sequence > journal->sequence)) {
        *journal = other;
    } else if (!first) {
        journal->page = 0u;
        journal->sequence = 0u;
        journal->counter = 0u;
        journal->pages = 0u;
        journal->permanent = 0u;
        journal->state = JOURNAL_STATE(JOURNAL_IDLE, 0u);
        journal->model = 0u;
        journal->model_counter = 0u;
        journal->reason = 0u;
        journal->next = WORDS;
        journal->settled = 1u;
    }
}

/* Appends a record. 0: there is no room. */
static uint32_t append(struct journal *journal, uint32_t state) {
    const uint32_t word = code_word(state);
    while (journal->next < WORDS) {
        const uint32_t at = journal->page + 4u * journal->next;
        journal->next++;
        flash_write(at, &word, 1u);
        if (flash_word(at) == word) {
            return 1u;
        }
    }
    return 0u;
}

/*
 * Until the COMMIT is there the other page counts, which says the same. So does this one if the COMMIT is
 * hard to read: whoever rolls leaves the state as it was, and appends what is new.
 */
void journal_roll(struct journal *journal) {
    uint32_t header[H_WORDS];
    journal->page = journal->page == SLOT_JOURNAL ? SLOT_JOURNAL + SLOT_PAGE_BYTES : SLOT_JOURNAL;
    journal->sequence++;
    journal->next = H_WORDS;
    journal->settled = 0u;
    header[H_MAGIC] = MAGIC;
    header[H_SEQUENCE] = journal->sequence;
    header[H_COUNTER] = journal->counter;
    header[H_PAGES] = journal->pages | (journal->permanent ? PERMANENT : 0u);
    header[H_STATE] = journal->state;
    header[H_MODEL] = journal->model;
    header[H_MODEL_COUNTER] = journal->model_counter;
    header[H_CRC] = header_crc(header);
    flash_erase(journal->page);
    flash_write(journal->page, header, H_WORDS);
    (void)append(journal, COMMIT);
}

static void append_somewhere(struct journal *journal, uint32_t state) {
    if (!append(journal, state)) {
        journal_roll(journal);
        (void)append(journal, state);
    }
    journal->settled = 0u;
}

void journal_mark(struct journal *journal, uint32_t kind, uint32_t index) {
    append_somewhere(journal, JOURNAL_STATE(kind, index));
    journal->state = JOURNAL_STATE(kind, index);
}

void journal_mark_model(struct journal *journal, uint32_t model) {
    append_somewhere(journal, MODEL | model);
    journal->model = model;
}

void journal_settle(struct journal *journal) {
    if (journal->settled) {
        return;
    }
    if (journal->next + 3u > WORDS) { /* all of it in one page */
        journal_roll(journal);
    }
    if (journal->model != 0u) {
        (void)append(journal, MODEL | journal->model);
    }
    (void)append(journal, journal->state);
    journal->settled = append(journal, SETTLED);
}
