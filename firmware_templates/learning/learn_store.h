/*
 * Heads in flash: records in a ring of pages. The newest valid record whose body hash is this firmware's is the
 * active head; without one, or where it is a tombstone, the factory's is. The twin, and the format, is
 * tinyc/learning/store.py.
 *
 * learn_config.h gives LEARN_PERSISTS, LEARN_FLASH_ORIGIN, LEARN_FLASH_PAGE (bytes), LEARN_FLASH_PAGES and
 * LEARN_BODY_HASH_0, LEARN_BODY_HASH_1. Without LEARN_PERSISTS the active head is kept in RAM.
 */
#ifndef TINYC_LEARN_STORE_H
#define TINYC_LEARN_STORE_H

#include <stdint.h>

#include "learn_config.h"
#include "learn_head.h"
#include "learner.h"

/* Names of the classes that are not the factory's, each filled up with zeros. C has no array of 0. */
struct learn_names {
    char of[LEARN_NEW_CLASSES > 0 ? LEARN_NEW_CLASSES : 1][LEARN_NAME_BYTES];
};

/* Why a record was written, and what was known then. */
enum learn_reason { LEARN_PROMOTION = 1, LEARN_REQUEST = 2, LEARN_IMPORT = 3, LEARN_REVERT = 4, LEARN_FACTORY = 5, LEARN_FORCED = 6 };

struct learn_facts {
    uint32_t reason;
    uint32_t fresh; /* samples the head has learned from since it was a copy of the one before */
    uint32_t guard_active, guard_shadow, held_active, held_shadow; /* see struct learner_stats */
};

struct learn_store {
    uint32_t sequence; /* of the active record, 0: the factory's head */
    uint32_t good;     /* of the last-good record, 0: the factory's head */
    uint32_t saves;
    uint32_t bad_writes;
    /* For learn_store.c. */
    uint32_t highest;   /* sequence */
    uint16_t next;      /* places; LEARN_NO_PLACE: none */
    uint16_t newest_at; /* of the record that says what is active: with `sequence`, or a tombstone */
    uint16_t good_at;
};

#define LEARN_NO_PLACE 0xFFFFu

/* Picks the heads, and the names of the active one. */
void learn_store_open(struct learn_store *store, struct learn_names *names);

/* Never 0. */
const struct learn_head *learn_store_active(const struct learn_store *store);
const struct learn_head *learn_store_good(const struct learn_store *store);

/* Names of the active head's classes; 0: it is the factory's and has none. */
const struct learn_names *learn_store_names(const struct learn_store *store);

/*
 * Writes a record, which is active from then on. The active head becomes last-good, except for LEARN_REVERT and
 * LEARN_FACTORY: then the factory's is. head may be one in flash; LEARN_FACTORY writes a tombstone, which needs
 * none. 0: no record could be written, and nothing has changed.
 */
uint32_t learn_store_save(struct learn_store *store, const struct learn_head *head, const struct learn_names *names,
                          const struct learn_facts *facts);

#endif
