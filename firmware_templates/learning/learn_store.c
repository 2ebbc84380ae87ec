/*
 * Records in a ring of pages. A record is written word by word from a page that was erased since the power came,
 * read back, and counts from its COMMIT word on, which is written last. Until then the one before it counts.
 *
 * A COMMIT whose writing was cut may read right at one start and wrong at the next. The start that reads it right
 * writes SETTLED behind it, and either word is enough from then on. All other words of a record that has a COMMIT
 * were whole before it, and none is written twice.
 *
 * The page with the active record is never erased, nor the one with last-good. With room for two units of pages
 * only, the factory's head is last-good. After a start the next record goes into the next page: whatever a cut left
 * behind the newest record is erased before it is used.
 */
#include "learn_store.h"

#include <string.h>

#if LEARN_PERSISTS

#include "crc32.h"
#include "flash.h"

#define MAGIC 0x4E524C54u
#define FORMAT 1u
#define COMMIT 0x5AC33C96u
#define SETTLED 0x69C35AA4u

enum header { H_MAGIC, H_FORMAT, H_BODY_0, H_BODY_1, H_SEQUENCE, H_GOOD, H_SIZE, H_PAYLOAD_CRC, H_CRC, H_WORDS };
enum { COMMIT_AT = 4 * H_WORDS, SETTLED_AT = COMMIT_AT + 4, PAYLOAD_AT = SETTLED_AT + 4 };

/* Payload: facts, then for all but tombstones state and names. */
#define STATE_AT (PAYLOAD_AT + (uint32_t)sizeof(struct learn_facts))
#define NAMES_AT (STATE_AT + (uint32_t)sizeof(struct learn_head))
#define RECORD (NAMES_AT + (uint32_t)sizeof(struct learn_names))
#define TOMBSTONE_SIZE ((uint32_t)sizeof(struct learn_facts))
#define STATE_SIZE (RECORD - PAYLOAD_AT)

#define PER_UNIT (RECORD <= LEARN_FLASH_PAGE ? LEARN_FLASH_PAGE / RECORD : 1u)
#define UNIT_PAGES ((RECORD + LEARN_FLASH_PAGE - 1u) / LEARN_FLASH_PAGE)
#define UNITS (LEARN_FLASH_PAGES / UNIT_PAGES)
#define PLACES (UNITS * PER_UNIT)

typedef char learn_store_has_room[UNITS >= 2u && PLACES < LEARN_NO_PLACE && RECORD % 4u == 0u ? 1 : -1];

#define CHUNK 16u

static uint32_t address_of(uint32_t place) {
    return LEARN_FLASH_ORIGIN + place / PER_UNIT * UNIT_PAGES * LEARN_FLASH_PAGE + place % PER_UNIT * RECORD;
}

/* 1: a header, perhaps of a record that was never finished, or of another firmware. */
static uint32_t read_header(uint32_t place, uint32_t header[H_WORDS]) {
    for (uint32_t i = 0u; i < H_WORDS; i++) {
        header[i] = flash_word(address_of(place) + 4u * i);
    }
    return header[H_MAGIC] == MAGIC && header[H_FORMAT] == FORMAT && header[H_CRC] == crc32(0u, header, 4u * H_CRC);
}

static uint32_t payload_is_right(uint32_t place, const uint32_t header[H_WORDS]) {
    return crc32(0u, flash_at(address_of(place) + PAYLOAD_AT), header[H_SIZE]) == header[H_PAYLOAD_CRC];
}

static uint32_t is_valid(uint32_t place, const uint32_t header[H_WORDS]) {
    const uint32_t at = address_of(place);
    return header[H_BODY_0] == LEARN_BODY_HASH_0 && header[H_BODY_1] == LEARN_BODY_HASH_1 &&
           (header[H_SIZE] == STATE_SIZE || header[H_SIZE] == TOMBSTONE_SIZE) &&
           (flash_word(at + COMMIT_AT) == COMMIT || flash_word(at + SETTLED_AT) == SETTLED) &&
           payload_is_right(place, header);
}

static void settle(uint32_t place) {
    const uint32_t at = address_of(place) + SETTLED_AT, word = SETTLED;
    if (flash_word(at) == FLASH_BLANK) {
        flash_write(at, &word, 1u);
    }
}

void learn_store_open(struct learn_store *store, struct learn_names *names) {
    uint32_t header[H_WORDS], newest = 0u, good = 0u, highest_at = LEARN_NO_PLACE, is_state = 0u;
    memset(store, 0, sizeof *store);
    memset(names, 0, sizeof *names);
    store->newest_at = store->good_at = LEARN_NO_PLACE;
    for (uint32_t place = 0u; place < PLACES; place++) {
        if (!read_header(place, header)) {
            continue;
        }
        if (highest_at == LEARN_NO_PLACE || header[H_SEQUENCE] > store->highest) {
            highest_at = place;
            store->highest = header[H_SEQUENCE];
        }
        if ((store->newest_at == LEARN_NO_PLACE || header[H_SEQUENCE] > newest) && is_valid(place, header)) {
            store->newest_at = (uint16_t)place;
            newest = header[H_SEQUENCE];
            good = header[H_GOOD];
            is_state = header[H_SIZE] == STATE_SIZE;
        }
    }
    if (highest_at != LEARN_NO_PLACE) {
        store->next = (uint16_t)((highest_at / PER_UNIT + 1u) % UNITS * PER_UNIT);
    }
    if (store->newest_at == LEARN_NO_PLACE) {
        return;
    }
    settle(store->newest_at);
    if (!is_state) {
        return;
    }
    store->sequence = newest;
    *names = *learn_store_names(store);
    for (uint32_t place = 0u; place < PLACES && good != 0u; place++) {
        if (read_header(place, header) && header[H_SEQUENCE] == good && header[H_SIZE] == STATE_SIZE &&
            is_valid(place, header)) {
            store->good_at = (uint16_t)place;
            store->good = good;
        }
    }
}

const struct learn_head *learn_store_active(const struct learn_store *store) {
    return store->sequence == 0u ? &learn_factory
                                 : (const void *)flash_at(address_of(store->newest_at) + STATE_AT);
}

const struct learn_head *learn_store_good(const struct learn_store *store) {
    return store->good == 0u ? &learn_factory : (const void *)flash_at(address_of(store->good_at) + STATE_AT);
}

const struct learn_names *learn_store_names(const struct learn_store *store) {
    return store->sequence == 0u ? 0 : (const void *)flash_at(address_of(store->newest_at) + NAMES_AT);
}

static uint32_t write_bytes(uint32_t address, const void *data, uint32_t size) {
    const uint8_t *bytes = data;
    uint32_t words[CHUNK];
    for (uint32_t at = 0u; at < size; at += 4u * CHUNK) {
        const uint32_t part = size - at < 4u * CHUNK ? size - at : 4u * CHUNK;
        memcpy(words, bytes + at, part);
        flash_write(address + at, words, part / 4u);
    }
    return address + size;
}

/* 1: the whole record reads back. */
static uint32_t write_record(uint32_t place, const uint32_t header[H_WORDS], const struct learn_head *head,
                             const struct learn_names *names, const struct learn_facts *facts) {
    const uint32_t commit = COMMIT, at = address_of(place);
    uint32_t read[H_WORDS];
    (void)write_bytes(at, header, 4u * H_WORDS);
    (void)write_bytes(at + PAYLOAD_AT, facts, sizeof *facts);
    if (header[H_SIZE] == STATE_SIZE) {
        (void)write_bytes(write_bytes(at + STATE_AT, head, sizeof *head), names, sizeof *names);
    }
    if (!read_header(place, read) || memcmp(read, header, sizeof read) != 0 || !payload_is_right(place, header)) {
        return 0u;
    }
    flash_write(at + COMMIT_AT, &commit, 1u);
    if (flash_word(at + COMMIT_AT) != COMMIT) {
        return 0u;
    }
    settle(place);
    return 1u;
}

/* The unit that begins at `place` may be erased. */
static uint32_t is_free(const struct learn_store *store, uint32_t place) {
    return (store->newest_at == LEARN_NO_PLACE || store->newest_at / PER_UNIT != place / PER_UNIT) &&
           (store->good_at == LEARN_NO_PLACE || store->good_at / PER_UNIT != place / PER_UNIT);
}

/* The next place, erased. LEARN_NO_PLACE: it may not be. */
static uint32_t take_place(struct learn_store *store) {
    const uint32_t place = store->next;
    if (place % PER_UNIT == 0u) {
        if (!is_free(store, place)) {
            store->next = (uint16_t)((place + PER_UNIT) % PLACES);
            return LEARN_NO_PLACE;
        }
        for (uint32_t page = 0u; page < UNIT_PAGES; page++) {
            flash_erase(address_of(place) + page * LEARN_FLASH_PAGE);
        }
    }
    store->next = (uint16_t)((place + 1u) % PLACES);
    return place;
}

static void fill_header(uint32_t header[H_WORDS], const struct learn_head *head, const struct learn_names *names,
                        const struct learn_facts *facts) {
    const uint32_t is_state = facts->reason != LEARN_FACTORY;
    uint32_t crc = crc32(0u, facts, sizeof *facts);
    if (is_state) {
        crc = crc32(crc32(crc, head, sizeof *head), names, sizeof *names);
    }
    header[H_MAGIC] = MAGIC;
    header[H_FORMAT] = FORMAT;
    header[H_BODY_0] = LEARN_BODY_HASH_0;
    header[H_BODY_1] = LEARN_BODY_HASH_1;
    header[H_SIZE] = is_state ? STATE_SIZE : TOMBSTONE_SIZE;
    header[H_PAYLOAD_CRC] = crc;
}

uint32_t learn_store_save(struct learn_store *store, const struct learn_head *head, const struct learn_names *names,
                          const struct learn_facts *facts) {
    uint32_t header[H_WORDS];
    const uint32_t is_return = facts->reason == LEARN_REVERT || facts->reason == LEARN_FACTORY;
    const uint32_t good = is_return || UNITS < 3u ? 0u : store->sequence;
    fill_header(header, head, names, facts);
    header[H_GOOD] = good;
    for (uint32_t tried = 0u; tried < PLACES; tried++) {
        const uint32_t place = take_place(store);
        if (place == LEARN_NO_PLACE) {
            continue;
        }
        store->highest++;
        header[H_SEQUENCE] = store->highest;
        header[H_CRC] = crc32(0u, header, 4u * H_CRC);
        if (write_record(place, header, head, names, facts)) {
            store->saves++;
            store->good = good;
            store->good_at = good == 0u ? LEARN_NO_PLACE : store->newest_at;
            store->newest_at = (uint16_t)place;
            store->sequence = header[H_SIZE] == STATE_SIZE ? store->highest : 0u;
            return 1u;
        }
        store->bad_writes++;
    }
    return 0u;
}

#else

static struct learn_head kept;
static struct learn_names kept_names;

void learn_store_open(struct learn_store *store, struct learn_names *names) {
    memset(store, 0, sizeof *store);
    memset(names, 0, sizeof *names);
}

const struct learn_head *learn_store_active(const struct learn_store *store) {
    return store->sequence == 0u ? &learn_factory : &kept;
}

const struct learn_head *learn_store_good(const struct learn_store *store) {
    (void)store;
    return &learn_factory;
}

const struct learn_names *learn_store_names(const struct learn_store *store) {
    return store->sequence == 0u ? 0 : &kept_names;
}

uint32_t learn_store_save(struct learn_store *store, const struct learn_head *head, const struct learn_names *names,
                          const struct learn_facts *facts) {
    store->highest++;
    store->saves++;
    store->sequence = 0u;
    if (facts->reason != LEARN_FACTORY) {
        kept = *head;
        kept_names = *names;
        store->sequence = store->highest;
    }
    return 1u;
}

#endif
