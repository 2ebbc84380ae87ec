/*
 * The learner: one head runs, its copy learns, and takes its place only when that is an improvement. Its twin
 * in Python is tinyc/learning/learner.py.
 *
 * The head that runs (active) lies in flash, as does the one before it (last-good): see learn_store.h. RAM holds
 * the shadow, which learns from labelled samples. It becomes active when the guard allows it: see guard.h.
 *
 * learn_config.h gives, beside what the head needs:
 *   LEARN_HELD_OUT               latest field samples that no head learns from, kept to judge by
 *   LEARN_HELD_OUT_EVERY         one labelled sample in so many is such a sample
 *   LEARN_HELD_OUT_MINIMUM       so many of them must be there for a promotion that nobody asked for
 *   LEARN_HELD_OUT_GAIN          and so many more of them must be right than the active head's; a regression: 1
 *   LEARN_MIN_UPDATES_PER_SAVE   samples the shadow has learned from before such a promotion
 *   LEARN_PATIENCE               a shadow that was found worse so often in a row is replaced by the active head
 *   LEARN_NAME_BYTES             of a class's name, filled up with zeros
 */
#ifndef TINYC_LEARNER_H
#define TINYC_LEARNER_H

#include <stdint.h>

#include "learn_config.h"
#include "learn_head.h"

/* Classes that are not the factory's. */
#if LEARN_REGRESSION
#define LEARN_NEW_CLASSES 0
#else
#define LEARN_NEW_CLASSES (LEARN_CAPACITY - LEARN_FACTORY_CLASSES)
#endif

#define LEARNER_NO_CLASS 0xFFFFFFFFu

/* What came of a call. The protocol sends these numbers: they keep their meaning. */
enum learner_result {
    LEARNER_DONE = 0,
    LEARNER_LEARNED = 1,  /* the shadow has learned from the sample */
    LEARNER_HELD_OUT = 2, /* the sample is one to judge by; the shadow was not promoted */
    LEARNER_PROMOTED = 3, /* the shadow is active from now on */
    LEARNER_REVERTED = 4, /* the last-good head, or the factory's, is active from now on */
    LEARNER_RESET = 5,    /* the shadow was thrown away, it is a copy of the active head again */
    /* From here on nothing was done. */
    LEARNER_NOTHING_OBSERVED = 16, /* no inference since the last label */
    LEARNER_NO_SUCH_CLASS = 17,    /* not the factory's, and nobody has named it */
    LEARNER_NO_ROOM = 18,          /* for another class */
    LEARNER_BAD_NAME = 19,         /* empty, longer than LEARN_NAME_BYTES, or with a zero in it */
    LEARNER_BAD_VALUE = 20,        /* a number that is not finite, or a label for a regression */
    LEARNER_NOTHING_NEW = 21,      /* the shadow is the active head */
    LEARNER_TOO_SOON = 22,         /* fewer than LEARN_MIN_UPDATES_PER_SAVE */
    LEARNER_TOO_FEW = 23,          /* held-out samples */
    LEARNER_GUARD_WORSE = 24,      /* the guard set: what the factory taught would be lost */
    LEARNER_NOT_BETTER = 25,       /* held-out samples: too few more right than the active head's */
    LEARNER_WORSE = 26,            /* held-out samples: fewer right */
    LEARNER_NOTHING_BEFORE = 27,   /* to go back to */
    LEARNER_FLASH_FAILED = 28,     /* the record could not be written */
    LEARNER_NOT_STAGED = 29,       /* no import has begun, or bytes are missing */
    LEARNER_WRONG_SIZE = 30,
    LEARNER_WRONG_BODY = 31, /* the import is for another body */
    LEARNER_DAMAGED = 32,    /* the import's CRC is wrong, or it is no state of a head */
    LEARNER_BUSY = 33,       /* an import is under way */
};

/* drift: enum drift_state. label is 0 for a regression. */
struct learner_answer {
    uint32_t label;
    float score; /* of that label; the first value of a regression */
    float surprise;
    uint32_t drift;
};

/* Words in this order are what the protocol sends. Counters start at 0 with the power. */
struct learner_stats {
    uint32_t observations;
    uint32_t labels;
    uint32_t updates;     /* samples learned from */
    uint32_t fresh;       /* of them since the shadow was a copy of the active head */
    uint32_t held_out;    /* samples in the ring */
    uint32_t attempts;    /* of promotion */
    uint32_t promotions;
    uint32_t reverts;     /* also those that were asked for */
    uint32_t resets;      /* of the shadow, by LEARN_PATIENCE or because it was not finite */
    uint32_t not_finite;  /* of them because of a number that is not finite */
    uint32_t last_gate;   /* enum learner_result of the last attempt */
    uint32_t last_result; /* of the last call that changes something */
    /* Of the last attempt: right answers; a regression has errors as float bits in their place. */
    uint32_t guard_factory;
    uint32_t guard_active;
    uint32_t guard_shadow;
    uint32_t held_active;
    uint32_t held_shadow;
    /* Labelled samples that only one of the two answered right: see guard.h. */
    uint32_t only_active;
    uint32_t only_good;
    uint32_t active_right; /* labelled samples that the active head answered right, since it is active */
    uint32_t active_seen;  /* of so many */
    uint32_t drift;        /* enum drift_state */
    float drift_high;      /* the two sums */
    float drift_low;
    uint32_t alarms;
    uint32_t wants_labels;
    uint32_t sequence;   /* of the active head's record, 0: the factory's */
    uint32_t good;       /* of the last-good head's, 0: the factory's */
    uint32_t saves;      /* records written */
    uint32_t bad_writes; /* records that could not be read back */
    uint32_t head_crc;   /* CRC-32 of the active head's state */
    uint32_t classes;    /* that have a name or are the factory's */
};

/* Picks the active head; the shadow is a copy of it. */
void learner_init(void);

/*
 * After each inference; keeps a copy of the latent. LEARN_NORMALISE heads take it into the running statistics of
 * the shadow, while the drift detector is calm.
 */
const struct learner_answer *learner_observe(const int8_t *latent);

#if LEARN_REGRESSION
/* The last observed latent has these values, target[LEARN_CAPACITY]. Once per observation. */
uint32_t learner_values(const float *target);
#else
/*
 * The last observed latent has this label. Once per observation. LEARNED, HELD_OUT, PROMOTED, REVERTED, RESET, or
 * why nothing was done; what the gate said of a held-out sample is in last_gate.
 */
uint32_t learner_label(uint32_t label);
#endif

/*
 * The index of the class of that name: one that is there or, if there is room, a new one. LEARNER_NO_CLASS where
 * there is none; *result says why. Names go into flash with the next promotion.
 */
uint32_t learner_name_class(const char *name, uint32_t length, uint32_t *result);

/* LEARN_NAME_BYTES, filled up with zeros; empty where the class has none. 0 where there is no such index. */
const char *learner_class_name(uint32_t index);

/*
 * What the shadow would answer to the last observed latent: the label of the active head where it has learned nothing,
 * 0 for a regression. Nobody on the device needs it, so it is computed for who asks.
 */
uint32_t learner_shadow_label(void);

/* Scores of the last observed latent by the active head (0), the shadow (1), last-good (2) or the factory's (3). */
uint32_t learner_scores(uint32_t of, float *scores);

/*
 * Somebody asks for it: PROMOTED, or why not. LEARN_MIN_UPDATES_PER_SAVE does not apply, one held-out sample is
 * enough, and one more right answer.
 */
uint32_t learner_promote(void);

/*
 * REVERTED: the last-good head, or the factory's, is active, and the shadow its copy. With to_factory the learned
 * names go as well; where the factory's head is active already that is all: RESET.
 */
uint32_t learner_revert(uint32_t to_factory);

/* The shadow is a copy of the active head again; held-out samples stay. */
uint32_t learner_reset(void);

/*
 * What an export carries: the active head's state, then LEARN_NEW_CLASSES names of LEARN_NAME_BYTES.
 * learner_export copies `size` bytes from `offset` on and returns how many there were.
 */
#define LEARNER_EXPORT_BYTES ((uint32_t)sizeof(struct learn_head) + (uint32_t)(LEARN_NEW_CLASSES * LEARN_NAME_BYTES))
uint32_t learner_export(uint32_t offset, uint8_t *bytes, uint32_t size);

/*
 * An import comes in order and is put together in the shadow, which does not learn meanwhile. At its end crc is
 * CRC-32 of all bytes and body the hash it was exported with (LEARN_BODY_HASH_0 and _1). It is promoted when the
 * guard set allows it and it answers no fewer held-out samples right. Else, and when learner_reset gives the import
 * up, shadow and names are those of the active head again.
 */
uint32_t learner_import_begin(uint32_t size);
uint32_t learner_import_write(uint32_t offset, const uint8_t *bytes, uint32_t size);
uint32_t learner_import_end(uint32_t crc, const uint32_t body[2]);

/* The same, but nobody asks guard set and held-out samples: whoever sends it answers for it. */
uint32_t learner_import_force(uint32_t crc, const uint32_t body[2]);

void learner_stats(struct learner_stats *stats);

#endif
