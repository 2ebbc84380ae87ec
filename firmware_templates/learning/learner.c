/* The learner: see learner.h. */
#include "learner.h"

#include <string.h>

#include "crc32.h"
#include "drift.h"
#include "guard.h"
#include "learn_math.h"
#include "learn_store.h"
#include "learn_tables.h"

#if LEARN_REGRESSION
#define SCORES static float scores[LEARN_CAPACITY]
#else
#define SCORES float scores[LEARN_CAPACITY]
#endif

/* How a promotion came about. */
struct rule {
    uint32_t minimum; /* held-out samples that must be there */
    int32_t gain;     /* how many more of them than the active head the shadow has to answer right */
    uint32_t reason;
    uint32_t trusted; /* nobody asks how it answers */
};

static const struct rule by_itself = {LEARN_HELD_OUT_MINIMUM, (int32_t)LEARN_HELD_OUT_GAIN, LEARN_PROMOTION, 0u};
static const struct rule on_request = {1u, 1, LEARN_REQUEST, 0u};
static const struct rule of_import = {0u, 0, LEARN_IMPORT, 0u};
static const struct rule of_force = {0u, 0, LEARN_FORCED, 1u};

static struct learn_head shadow;

static struct {
    struct learn_store store;
    struct learn_names names;
    struct learner_answer answer;
    struct drift drift;
    struct guard_duel duel;
    struct guard_mark factory, active; /* on the guard set */
    struct learn_facts facts;          /* of the last attempt */
    uint32_t observations, labels, updates, fresh, attempts, promotions, active_right, active_seen, staged;
    uint16_t reverts, resets, not_finite, worse;
    uint8_t held_count, held_next;
    uint8_t last_gate, last_result;
    uint8_t waits;      /* an observation waits for its label */
    uint8_t importing;
    uint8_t normalised; /* the shadow has taken in latents without labels */
    int8_t latent[LEARN_LATENT];
    int8_t held[LEARN_HELD_OUT][LEARN_LATENT];
    guard_target targets[LEARN_HELD_OUT][GUARD_TARGETS];
} it;

static uint32_t result(uint32_t of) {
    it.last_result = (uint8_t)of;
    return of;
}

static void copy_active(void) {
    shadow = *learn_store_active(&it.store);
    it.fresh = 0u;
    it.worse = 0u;
    it.normalised = 0u;
}

/* Another head is active: all that was known about the one before is void. */
static void begin_with(struct guard_mark mark) {
    it.active = mark;
    it.duel.only_active = it.duel.only_good = 0u;
    it.active_right = it.active_seen = 0u;
    drift_restart(&it.drift);
    copy_active();
}

void learner_init(void) {
    memset(&it, 0, sizeof it);
    learn_store_open(&it.store, &it.names);
    it.factory = guard_mark_of(&learn_factory);
    begin_with(guard_mark_of(learn_store_active(&it.store)));
}

/* The shadow is of no use. */
static uint32_t throw_away(void) {
    copy_active();
    it.resets++;
    return LEARNER_RESET;
}

const struct learner_answer *learner_observe(const int8_t *latent) {
    SCORES;
    const struct learn_head *const active = learn_store_active(&it.store);
    it.observations++;
    it.waits = 1u;
    memcpy(it.latent, latent, LEARN_LATENT);
    const uint32_t label = learn_head_scores(active, it.latent, scores);
    it.answer.surprise = learn_head_surprise(active, it.latent, scores);
    it.answer.label = LEARN_REGRESSION ? 0u : label;
    it.answer.score = scores[it.answer.label];
    it.answer.drift = drift_observe(&it.drift, it.answer.surprise);
#if LEARN_NORMALISE
    if (it.answer.drift == DRIFT_STABLE && !it.importing) {
        learn_head_normalise(&shadow, it.latent);
        it.normalised = 1u;
    }
#endif
    return &it.answer;
}

uint32_t learner_shadow_label(void) {
#if !LEARN_REGRESSION
    if (it.fresh != 0u && !it.importing) {
        float scores[LEARN_CAPACITY];
        return learn_head_scores(&shadow, it.latent, scores);
    }
#endif
    return it.answer.label;
}

static uint32_t bits_of(struct guard_mark mark) {
#if LEARN_REGRESSION
    return tinyc_float_bits(mark.error);
#else
    return mark.right;
#endif
}

/* DONE: the shadow may be promoted. */
static uint32_t judge(const struct rule *rule, struct guard_mark *on_guard) {
    struct guard_mark by_active = GUARD_MARK, by_shadow = GUARD_MARK;
    const struct learn_head *const active = learn_store_active(&it.store);
    it.attempts++;
    *on_guard = guard_mark_of(&shadow);
    for (uint32_t i = 0u; i < it.held_count; i++) {
        guard_add(&by_active, active, it.held[i], it.targets[i]);
        guard_add(&by_shadow, &shadow, it.held[i], it.targets[i]);
    }
    it.facts.reason = rule->reason;
    it.facts.fresh = it.fresh;
    it.facts.guard_active = bits_of(it.active);
    it.facts.guard_shadow = bits_of(*on_guard);
    it.facts.held_active = bits_of(by_active);
    it.facts.held_shadow = bits_of(by_shadow);
    if (!on_guard->finite || !by_shadow.finite || !learn_head_valid(&shadow)) {
        return LEARNER_BAD_VALUE;
    }
    if (rule->trusted) {
        return LEARNER_DONE;
    }
    if (!guard_holds(on_guard, &it.factory)) {
        return LEARNER_GUARD_WORSE;
    }
    if (it.held_count < rule->minimum) {
        return LEARNER_TOO_FEW;
    }
    const int32_t against = guard_compare(&by_shadow, &by_active);
    return against < 0 ? LEARNER_WORSE : against < rule->gain ? LEARNER_NOT_BETTER : LEARNER_DONE;
}

/* PROMOTED, RESET for a shadow that is not finite, or why not. */
static uint32_t attempt(const struct rule *rule) {
    struct guard_mark on_guard;
    uint32_t gate = judge(rule, &on_guard);
    if (gate == LEARNER_DONE && !learn_store_save(&it.store, &shadow, &it.names, &it.facts)) {
        gate = LEARNER_FLASH_FAILED;
    }
    it.last_gate = (uint8_t)gate;
    if (gate == LEARNER_BAD_VALUE) {
        it.not_finite++;
        return throw_away();
    }
    if (gate != LEARNER_DONE) {
        return gate;
    }
    it.promotions++;
    begin_with(on_guard);
    return LEARNER_PROMOTED;
}

static uint32_t revert_to(uint32_t reason) {
    const struct learn_facts facts = {reason, 0u, bits_of(it.active), 0u, 0u, 0u};
    if (!learn_store_save(&it.store, learn_store_good(&it.store), &it.names, &facts)) {
        return LEARNER_FLASH_FAILED;
    }
    it.reverts++;
    begin_with(guard_mark_of(learn_store_active(&it.store)));
    return LEARNER_REVERTED;
}

static uint32_t revert_to_good(void) {
    return revert_to(it.store.good == 0u ? LEARN_FACTORY : LEARN_REVERT);
}

/* Keeps the sample to judge by, and judges. */
static uint32_t hold_out(const guard_target *target) {
    memcpy(it.held[it.held_next], it.latent, LEARN_LATENT);
    memcpy(it.targets[it.held_next], target, sizeof it.targets[0]);
    it.held_next = (uint8_t)((it.held_next + 1u) % LEARN_HELD_OUT);
    it.held_count = (uint8_t)(it.held_count + (it.held_count < LEARN_HELD_OUT ? 1u : 0u));
    if (it.fresh < LEARN_MIN_UPDATES_PER_SAVE) {
        it.last_gate = LEARNER_TOO_SOON;
        return LEARNER_HELD_OUT;
    }
    const uint32_t of = attempt(&by_itself);
    if (of == LEARNER_GUARD_WORSE || of == LEARNER_WORSE) {
        it.worse++;
        if (it.worse >= LEARN_PATIENCE) {
            return throw_away();
        }
    }
    return of == LEARNER_PROMOTED || of == LEARNER_RESET ? of : LEARNER_HELD_OUT;
}

/* The active head against last-good on the sample that has come: 1 if last-good has proved better. */
static uint32_t last_good_is_better(struct guard_mark by_active, const guard_target *target) {
    struct guard_mark by_good = GUARD_MARK;
    if (it.store.sequence == 0u) {
        return 0u;
    }
    guard_add(&by_good, learn_store_good(&it.store), it.latent, target);
    return guard_duel(&it.duel, guard_compare(&by_active, &by_good));
}

static uint32_t learn(const guard_target *target) {
    struct guard_mark by_active = GUARD_MARK;
    it.waits = 0u;
    it.labels++;
    it.active_seen++;
#if LEARN_REGRESSION
    guard_add(&by_active, learn_store_active(&it.store), it.latent, target);
#else
    by_active.right = it.answer.label == *target ? 1u : 0u;
    it.active_right += by_active.right;
#endif
    if (last_good_is_better(by_active, target)) {
        const uint32_t of = revert_to_good();
        if (of == LEARNER_REVERTED) {
            return of;
        }
    }
    if (it.labels % LEARN_HELD_OUT_EVERY == 0u) {
        return hold_out(target);
    }
#if LEARN_REGRESSION
    learn_head_update_values(&shadow, it.latent, target);
#else
    learn_head_update(&shadow, it.latent, *target);
#endif
    it.updates++;
    it.fresh++;
    return LEARNER_LEARNED;
}

#if LEARN_REGRESSION

uint32_t learner_values(const float *target) {
    if (!it.waits || it.importing) {
        return result(it.importing ? LEARNER_BUSY : LEARNER_NOTHING_OBSERVED);
    }
    for (uint32_t i = 0u; i < LEARN_CAPACITY; i++) {
        if (!learn_is_finite(target[i])) {
            return result(LEARNER_BAD_VALUE);
        }
    }
    return result(learn(target));
}

#else

uint32_t learner_label(uint32_t label) {
    const guard_target target = (guard_target)label;
    const char *const name = learner_class_name(label);
    if (!it.waits || it.importing) {
        return result(it.importing ? LEARNER_BUSY : LEARNER_NOTHING_OBSERVED);
    }
    if (name == 0 || (label >= LEARN_FACTORY_CLASSES && name[0] == '\0')) {
        return result(LEARNER_NO_SUCH_CLASS);
    }
    return result(learn(&target));
}

#endif

const char *learner_class_name(uint32_t index) {
#if LEARN_REGRESSION
    (void)index;
    return 0;
#else
    if (index < LEARN_FACTORY_CLASSES) {
        return (const char *)learn_factory_names + index * LEARN_NAME_BYTES;
    }
    return index < LEARN_CAPACITY ? it.names.of[index - LEARN_FACTORY_CLASSES] : 0;
#endif
}

#if !LEARN_REGRESSION
static uint32_t is_name(const char *there, const char *name, uint32_t length) {
    return memcmp(there, name, length) == 0 && (length == LEARN_NAME_BYTES || there[length] == '\0');
}
#endif

uint32_t learner_name_class(const char *name, uint32_t length, uint32_t *of) {
    *of = length == 0u || length > LEARN_NAME_BYTES ? LEARNER_BAD_NAME : it.importing ? LEARNER_BUSY : LEARNER_DONE;
    for (uint32_t i = 0u; *of == LEARNER_DONE && i < length; i++) {
        *of = name[i] == '\0' ? LEARNER_BAD_NAME : LEARNER_DONE;
    }
    if (*of != LEARNER_DONE) {
        return LEARNER_NO_CLASS;
    }
#if !LEARN_REGRESSION
    for (uint32_t i = 0u; i < LEARN_CAPACITY; i++) {
        if (is_name(learner_class_name(i), name, length)) {
            return i;
        }
    }
#if LEARN_NEW_CLASSES > 0
    for (uint32_t i = 0u; i < LEARN_NEW_CLASSES; i++) {
        if (it.names.of[i][0] == '\0') {
            memcpy(it.names.of[i], name, length);
            return LEARN_FACTORY_CLASSES + i;
        }
    }
#endif
#endif
    *of = LEARNER_NO_ROOM;
    return LEARNER_NO_CLASS;
}

uint32_t learner_scores(uint32_t of, float *scores) {
    const struct learn_head *const heads[] = {learn_store_active(&it.store), &shadow, learn_store_good(&it.store),
                                              &learn_factory};
    if (it.observations == 0u) {
        return LEARNER_NOTHING_OBSERVED;
    }
    if (of >= sizeof heads / sizeof heads[0]) {
        return LEARNER_BAD_VALUE;
    }
    if (it.importing && heads[of] == &shadow) {
        return LEARNER_BUSY;
    }
    (void)learn_head_scores(heads[of], it.latent, scores);
    return LEARNER_DONE;
}

uint32_t learner_promote(void) {
    if (it.importing) {
        return result(LEARNER_BUSY);
    }
    if (it.fresh == 0u && !it.normalised) {
        return result(LEARNER_NOTHING_NEW);
    }
    return result(attempt(&on_request));
}

uint32_t learner_revert(uint32_t to_factory) {
    if (it.importing) {
        return result(LEARNER_BUSY);
    }
    uint32_t of = LEARNER_NOTHING_BEFORE;
    if (it.store.sequence != 0u) {
        of = to_factory ? revert_to(LEARN_FACTORY) : revert_to_good();
    } else if (to_factory) {
        copy_active();
        of = LEARNER_RESET;
    }
    if (to_factory && of != LEARNER_FLASH_FAILED) {
        memset(&it.names, 0, sizeof it.names);
    }
    return result(of);
}

/* Shadow and names, whatever an import has made of them. */
static void give_up(void) {
    const struct learn_names *const names = learn_store_names(&it.store);
    memset(&it.names, 0, sizeof it.names);
    if (names != 0) {
        it.names = *names;
    }
    it.importing = 0u;
    copy_active();
}

uint32_t learner_reset(void) {
    if (it.importing) {
        give_up();
    } else {
        copy_active();
    }
    return result(LEARNER_RESET);
}

uint32_t learner_export(uint32_t offset, uint8_t *bytes, uint32_t size) {
    const uint8_t *const state = (const void *)learn_store_active(&it.store);
    const uint8_t *const names = (const void *)learn_store_names(&it.store);
    uint32_t done = 0u;
    while (done < size && offset + done < LEARNER_EXPORT_BYTES) {
        const uint32_t at = offset + done;
        const uint32_t in_names = at - (uint32_t)sizeof(struct learn_head);
        bytes[done] = at < sizeof(struct learn_head) ? state[at] : names == 0 ? 0u : names[in_names];
        done++;
    }
    return done;
}

uint32_t learner_import_begin(uint32_t size) {
    if (it.importing) {
        give_up();
    }
    if (size != LEARNER_EXPORT_BYTES) {
        return result(LEARNER_WRONG_SIZE);
    }
    it.importing = 1u;
    it.staged = 0u;
    memset(&it.names, 0, sizeof it.names);
    return result(LEARNER_DONE);
}

uint32_t learner_import_write(uint32_t offset, const uint8_t *bytes, uint32_t size) {
    uint8_t *const state = (void *)&shadow, *const names = (void *)&it.names;
    if (!it.importing) {
        return result(LEARNER_NOT_STAGED);
    }
    if (offset != it.staged || size > LEARNER_EXPORT_BYTES - offset) {
        return result(LEARNER_WRONG_SIZE);
    }
    for (uint32_t i = 0u; i < size; i++) {
        const uint32_t at = offset + i;
        if (at < sizeof(struct learn_head)) {
            state[at] = bytes[i];
        } else {
            names[at - (uint32_t)sizeof(struct learn_head)] = bytes[i];
        }
    }
    it.staged += size;
    return result(LEARNER_DONE);
}

static uint32_t end_import(uint32_t crc, const uint32_t body[2], const struct rule *rule) {
    const uint32_t names_bytes = LEARNER_EXPORT_BYTES - (uint32_t)sizeof(struct learn_head);
    uint32_t of = LEARNER_DONE;
    if (!it.importing || it.staged != LEARNER_EXPORT_BYTES) {
        of = LEARNER_NOT_STAGED;
    } else if (body[0] != LEARN_BODY_HASH_0 || body[1] != LEARN_BODY_HASH_1) {
        of = LEARNER_WRONG_BODY;
    } else if (crc32(crc32(0u, &shadow, sizeof shadow), &it.names, names_bytes) != crc ||
               !learn_head_valid(&shadow)) {
        of = LEARNER_DAMAGED;
    } else {
        it.fresh = 0u;
        of = attempt(rule);
        it.importing = (uint8_t)(of != LEARNER_PROMOTED);
    }
    if (it.importing) {
        give_up();
    }
    return result(of);
}

uint32_t learner_import_end(uint32_t crc, const uint32_t body[2]) {
    return end_import(crc, body, &of_import);
}

uint32_t learner_import_force(uint32_t crc, const uint32_t body[2]) {
    return end_import(crc, body, &of_force);
}

void learner_stats(struct learner_stats *stats) {
    const struct learn_head *const active = learn_store_active(&it.store);
    memset(stats, 0, sizeof *stats);
    stats->observations = it.observations;
    stats->labels = it.labels;
    stats->updates = it.updates;
    stats->fresh = it.fresh;
    stats->held_out = it.held_count;
    stats->attempts = it.attempts;
    stats->promotions = it.promotions;
    stats->reverts = it.reverts;
    stats->resets = it.resets;
    stats->not_finite = it.not_finite;
    stats->last_gate = it.last_gate;
    stats->last_result = it.last_result;
    stats->guard_factory = bits_of(it.factory);
    stats->guard_active = bits_of(it.active);
    stats->guard_shadow = it.facts.guard_shadow;
    stats->held_active = it.facts.held_active;
    stats->held_shadow = it.facts.held_shadow;
    stats->only_active = it.duel.only_active;
    stats->only_good = it.duel.only_good;
    stats->active_right = it.active_right;
    stats->active_seen = it.active_seen;
    stats->drift = it.drift.state;
    stats->drift_high = it.drift.high;
    stats->drift_low = it.drift.low;
    stats->alarms = it.drift.alarms;
    stats->wants_labels = it.drift.state != DRIFT_STABLE ? 1u : 0u;
    stats->sequence = it.store.sequence;
    stats->good = it.store.good;
    stats->saves = it.store.saves;
    stats->bad_writes = it.store.bad_writes;
    stats->head_crc = crc32(0u, active, sizeof *active);
    stats->classes = LEARN_REGRESSION ? 0u : LEARN_FACTORY_CLASSES;
#if LEARN_NEW_CLASSES > 0
    for (uint32_t i = 0u; i < LEARN_NEW_CLASSES; i++) {
        stats->classes += it.names.of[i][0] != '\0' ? 1u : 0u;
    }
#endif
}
