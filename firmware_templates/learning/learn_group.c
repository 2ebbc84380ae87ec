/*
 * Every request may come twice, because its answer was lost. What would do something twice names the observation
 * or the head that it is meant for, and is answered the second time with what was done the first time.
 */
#include "learn_group.h"

#include <string.h>

#include "cbor.h"
#include "hal.h"
#include "learn_config.h"
#include "learner.h"
#include "smp_frame.h"

enum command { LEARN = 10, TEACH = 11, CLASS = 12, HEAD = 13, LEARN_DO = 14 };

/* What LEARN_DO does. */
enum deed { PROMOTE = 0, REVERT = 1, FACTORY = 2, RESET = 3, IMPORT = 4, FORCED = 5, NO_DEED = 6 };

#define MALFORMED SMP_GROUP_ERROR(2u, SMP_INVALID)
#define OUT_OF_RANGE SMP_GROUP_ERROR(3u, SMP_INVALID)
#define NO_ROOM SMP_GROUP_ERROR(5u, SMP_BAD_STATE)
#define STALE SMP_GROUP_ERROR(6u, SMP_BAD_STATE)

#define BODY_BYTES 8u
#define FLOAT_BYTES 4u

static const struct learner_answer nothing;
static const struct learner_answer *answer = &nothing;
static uint32_t shadow_label; /* what the shadow says to it, for TEACH that asks */
static uint32_t seen;   /* number of the last observation, 0: none yet */
static uint32_t taught; /* 1: it has had its label, with this result */
static uint32_t taught_result;
static uint32_t taught_cycles;
static uint32_t staged; /* bytes of an import that are there */
/* The last deed, as long as nothing was seen, learned or staged since. */
static uint32_t last_deed = NO_DEED;
static uint32_t last_at;
static uint32_t last_result;
static uint32_t forced; /* imports that nobody has judged */
#ifdef LEARN_TARGET_OFFSET
static const int8_t *target;
#endif

void learn_group_observe(const int8_t *latent, const uint8_t *arena) {
#ifdef LEARN_TARGET_OFFSET
    target = (const int8_t *)arena + LEARN_TARGET_OFFSET;
#else
    (void)arena;
#endif
    answer = learner_observe(latent);
    seen++;
    taught = 0u;
    last_deed = NO_DEED;
}

/* The number that must be under `key`. */
static uint32_t number(const struct smp_request *request, const char *key, uint32_t *value) {
    struct cbor_item item;
    if (!cbor_need(&request->map, key, CBOR_UINT, &item)) {
        return 0u;
    }
    *value = item.value;
    return 1u;
}

static uint32_t active_sequence(void) {
    struct learner_stats stats;
    learner_stats(&stats);
    return stats.sequence;
}

/* Whether a result says that nothing was done. */
static uint32_t refused(uint32_t result) {
    return result >= LEARNER_NOTHING_OBSERVED;
}

#if LEARN_REGRESSION
/* Values are put where the request was: a float may lie there. */
static uint32_t teach(struct smp_request *request) {
    float *const values = (float *)(void *)request->message;
    struct cbor_item sent;
    const enum cbor_found found = cbor_find(&request->map, "values", &sent);
    if (found == CBOR_FOUND) {
        if (sent.kind != CBOR_BYTES) {
            return MALFORMED;
        }
        if (sent.value != LEARN_CAPACITY * FLOAT_BYTES) {
            return OUT_OF_RANGE;
        }
        memmove(request->message, sent.data, sent.value);
    } else {
#ifdef LEARN_TARGET_OFFSET
        if (LEARN_CAPACITY * FLOAT_BYTES > SMP_MESSAGE_BYTES) {
            return OUT_OF_RANGE;
        }
        for (uint32_t i = 0; i < LEARN_CAPACITY; i++) {
            values[i] = LEARN_TARGET_SCALE * (float)((int32_t)target[i] - LEARN_TARGET_ZERO_POINT);
        }
#else
        return MALFORMED;
#endif
    }
    taught_result = learner_values(values);
    return SMP_OK;
}
#else
static uint32_t teach(struct smp_request *request) {
    uint32_t label;
    if (!number(request, "label", &label)) {
        return MALFORMED;
    }
    if (label >= LEARN_CAPACITY) {
        return OUT_OF_RANGE;
    }
    taught_result = learner_label(label);
    return SMP_OK;
}
#endif

static uint32_t take_label(struct smp_request *request) {
    uint32_t observation;
    if (!number(request, "seen", &observation)) {
        return MALFORMED;
    }
    if (observation == 0u || observation != seen) {
        return STALE;
    }
    if (!taught) {
        const uint32_t before = hal_cycles();
        const uint32_t result = teach(request);
        if (result != SMP_OK) {
            return result;
        }
        taught_cycles = hal_cycles() - before;
        taught = !refused(taught_result);
        last_deed = NO_DEED;
    }
    return SMP_OK;
}

#if !LEARN_REGRESSION
static uint32_t serve_class(struct smp_request *request) {
    struct cbor_item name;
    uint32_t result = LEARNER_DONE;
    if (request->operation == SMP_READ) {
        if (!number(request, "index", &request->value)) {
            return MALFORMED;
        }
        return learner_class_name(request->value) != 0 ? SMP_OK : OUT_OF_RANGE;
    }
    if (!cbor_need(&request->map, "name", CBOR_TEXT, &name)) {
        return MALFORMED;
    }
    request->key = "index";
    request->value = learner_name_class((const char *)name.data, name.value, &result);
    if (request->value == LEARNER_NO_CLASS) {
        return result == LEARNER_NO_ROOM ? NO_ROOM : OUT_OF_RANGE;
    }
    return SMP_OK;
}
#endif

/* Bytes of the active head, copied to where the request was. */
static uint32_t read_head(struct smp_request *request) {
    uint32_t offset, length;
    if (!number(request, "off", &offset) || !number(request, "len", &length)) {
        return MALFORMED;
    }
    if (length > SMP_MESSAGE_BYTES || length > LEARNER_EXPORT_BYTES || offset > LEARNER_EXPORT_BYTES - length) {
        return OUT_OF_RANGE;
    }
    request->value = offset;
    request->length = learner_export(offset, request->message, length);
    return SMP_OK;
}

/* The part that came last may come once more. Byte 0 begins anew. */
static uint32_t stage_head(struct smp_request *request) {
    struct cbor_item data;
    uint32_t offset;
    if (!number(request, "off", &offset) || !cbor_need(&request->map, "data", CBOR_BYTES, &data)) {
        return MALFORMED;
    }
    if (data.value > LEARNER_EXPORT_BYTES || offset > LEARNER_EXPORT_BYTES - data.value) {
        return OUT_OF_RANGE;
    }
    request->key = "off";
    request->value = offset + data.value;
    last_deed = NO_DEED;
    if (offset == 0u) {
        staged = 0u;
        if (refused(learner_import_begin(LEARNER_EXPORT_BYTES))) {
            return STALE;
        }
    } else if (request->value == staged) {
        return SMP_OK;
    } else if (offset != staged) {
        return STALE;
    }
    if (refused(learner_import_write(offset, data.data, data.value))) {
        return STALE;
    }
    staged = request->value;
    return SMP_OK;
}

static uint32_t word(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t is_import(uint32_t deed) {
    return deed == IMPORT || deed == FORCED;
}

static uint32_t perform(uint32_t deed, uint32_t crc, const uint8_t *hash) {
    if (deed == PROMOTE) {
        return learner_promote();
    }
    if (is_import(deed)) {
        const uint32_t body[2] = {word(hash), word(hash + 4)};
        const uint32_t result = deed == IMPORT ? learner_import_end(crc, body) : learner_import_force(crc, body);
        forced += deed == FORCED && result == LEARNER_PROMOTED ? 1u : 0u;
        return result;
    }
    return deed == RESET ? learner_reset() : learner_revert(deed == FACTORY);
}

static uint32_t act(struct smp_request *request) {
    struct cbor_item body = {0};
    uint32_t deed, at, crc = 0u;
    if (!number(request, "do", &deed) || !number(request, "at", &at) ||
        (is_import(deed) &&
         (!number(request, "crc", &crc) || !cbor_need(&request->map, "body", CBOR_BYTES, &body)))) {
        return MALFORMED;
    }
    if (deed >= NO_DEED || (is_import(deed) && body.value != BODY_BYTES)) {
        return OUT_OF_RANGE;
    }
    if (deed == last_deed && at == last_at) {
        return SMP_OK;
    }
    if (at != active_sequence()) {
        return STALE;
    }
    last_result = perform(deed, crc, body.data);
    last_deed = deed;
    last_at = at;
    staged = 0u;
    return SMP_OK;
}

uint32_t learn_group(struct smp_request *request) {
    const uint32_t reads = request->operation == SMP_READ;
    switch (request->command) {
    case LEARN:
        return reads ? SMP_OK : SMP_UNSUPPORTED;
    case TEACH:
        if (reads) {
            shadow_label = learner_shadow_label();
        }
        return reads ? SMP_OK : take_label(request);
#if !LEARN_REGRESSION
    case CLASS:
        return serve_class(request);
#endif
    case HEAD:
        return reads ? read_head(request) : stage_head(request);
    case LEARN_DO:
        return reads ? SMP_UNSUPPORTED : act(request);
    default:
        return SMP_UNSUPPORTED;
    }
}

/* A float of four bytes, as an item of its own. */
static void put_float(float value) {
    uint8_t item[1u + FLOAT_BYTES] = {0xFAu};
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (uint32_t i = FLOAT_BYTES; i > 0u; i--) {
        item[i] = (uint8_t)bits;
        bits >>= 8;
    }
    cbor_sink(item, sizeof item);
}

/* How well a head answers: right answers, or the error of a regression. */
static void put_mark(uint32_t mark) {
#if LEARN_REGRESSION
    float error;
    memcpy(&error, &mark, sizeof error);
    put_float(error);
#else
    cbor_put_uint(mark);
#endif
}

static void put_list(const char *key, uint32_t count) {
    cbor_put_text(key);
    cbor_put_head(CBOR_ARRAY, count);
}

static void put_numbers(const char *key, const uint32_t *numbers, uint32_t count) {
    put_list(key, count);
    for (uint32_t i = 0; i < count; i++) {
        cbor_put_uint(numbers[i]);
    }
}

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

static void put_body(void) {
    static const uint32_t body[2] = {LEARN_BODY_HASH_0, LEARN_BODY_HASH_1};
    uint8_t bytes[BODY_BYTES];
    for (uint32_t i = 0; i < BODY_BYTES; i++) {
        bytes[i] = (uint8_t)(body[i / 4u] >> (8u * (i % 4u)));
    }
    cbor_put_bytes_at("body", bytes, sizeof bytes);
}

static void put_shape(void) {
    static const uint32_t shape[] = {LEARN_LATENT,
                                     LEARN_CAPACITY,
                                     LEARN_FACTORY_CLASSES,
                                     LEARNER_EXPORT_BYTES,
                                     LEARN_GUARD_COUNT,
                                     LEARN_HELD_OUT,
                                     LEARN_REGRESSION,
                                     LEARN_PERSISTS,
                                     LEARN_NAME_BYTES};
    put_numbers("shape", shape, COUNT(shape));
}

static void put_learner(void) {
    struct learner_stats stats;
    learner_stats(&stats);
    const uint32_t store[] = {stats.sequence, stats.good, stats.saves, stats.bad_writes, stats.head_crc};
    const uint32_t counts[] = {stats.observations, stats.labels,   stats.updates,    stats.fresh,
                               stats.held_out,     stats.attempts, stats.promotions, stats.reverts,
                               stats.resets,       stats.not_finite, forced};
    const uint32_t last[] = {stats.last_gate, stats.last_result};
    const uint32_t marks[] = {stats.guard_factory, stats.guard_active, stats.guard_shadow, stats.held_active,
                              stats.held_shadow};
    const uint32_t duel[] = {stats.only_active, stats.only_good, stats.active_right, stats.active_seen};
    cbor_put_head(CBOR_MAP, 10u);
    cbor_put_text_at("kind", LEARN_KIND);
    put_body();
    put_shape();
    cbor_put_uint_at("classes", stats.classes);
    put_numbers("store", store, COUNT(store));
    put_numbers("counts", counts, COUNT(counts));
    put_numbers("last", last, COUNT(last));
    put_list("marks", COUNT(marks));
    for (uint32_t i = 0; i < COUNT(marks); i++) {
        put_mark(marks[i]);
    }
    put_numbers("duel", duel, COUNT(duel));
    put_list("drift", 5u);
    cbor_put_uint(stats.drift);
    cbor_put_uint(stats.alarms);
    cbor_put_uint(stats.wants_labels);
    put_float(stats.drift_high);
    put_float(stats.drift_low);
}

static void put_observation(void) {
    cbor_put_head(CBOR_MAP, 7u);
    cbor_put_uint_at("seen", seen);
    cbor_put_uint_at("label", answer->label);
    cbor_put_text("score");
    put_float(answer->score);
    cbor_put_uint_at("shadow", shadow_label);
    cbor_put_text("surprise");
    put_float(answer->surprise);
    cbor_put_uint_at("drift", answer->drift);
    cbor_put_flag_at("taught", taught);
}

static void put_taught(void) {
    cbor_put_head(CBOR_MAP, 3u);
    cbor_put_uint_at("seen", seen);
    cbor_put_uint_at("result", taught_result);
    cbor_put_uint_at("cycles", taught_cycles);
}

#if !LEARN_REGRESSION
/* A classifier's state begins with the samples of each class. */
static void put_class(uint32_t index) {
    const char *const name = learner_class_name(index);
    uint8_t samples[4] = {0u, 0u, 0u, 0u};
    uint32_t length = 0u;
    while (length < LEARN_NAME_BYTES && name[length] != '\0') {
        length++;
    }
    (void)learner_export(4u * index, samples, sizeof samples);
    cbor_put_head(CBOR_MAP, 3u);
    cbor_put_uint_at("index", index);
    cbor_put_text("name");
    cbor_put_string(CBOR_BYTES, name, length); /* nobody has checked that it is text */
    cbor_put_uint_at("samples", word(samples));
}
#endif

static void put_head_part(const struct smp_request *request) {
    cbor_put_head(CBOR_MAP, 2u);
    cbor_put_uint_at("off", request->value);
    cbor_put_text("data");
    cbor_put_string(CBOR_BYTES, request->message, request->length);
}

static void put_deed(void) {
    cbor_put_head(CBOR_MAP, 2u);
    cbor_put_uint_at("result", last_result);
    cbor_put_uint_at("active", active_sequence());
}

void learn_group_put(const struct smp_request *request) {
    switch (request->command) {
    case LEARN:
        put_learner();
        break;
    case TEACH:
        if (request->operation == SMP_READ) {
            put_observation();
        } else {
            put_taught();
        }
        break;
#if !LEARN_REGRESSION
    case CLASS:
        put_class(request->value);
        break;
#endif
    case HEAD:
        put_head_part(request);
        break;
    default:
        put_deed();
        break;
    }
}
