/*
 * The trainer over SMP. A request that is repeated because its answer was lost does no harm: bytes have
 * places, a round that begins twice begins once, and what is encoded stays.
 */
#include "trainer_group.h"

#include <string.h>

#include "cbor.h"
#include "hal.h"
#include "trainer.h"

enum command { TRAINER = 20, PARAMETERS = 21, TRAIN = 22, DELTA = 23 };

#define MALFORMED SMP_GROUP_ERROR(2u, SMP_INVALID)
#define OUT_OF_RANGE SMP_GROUP_ERROR(3u, SMP_INVALID)
#define NO_ROUND SMP_GROUP_ERROR(20u, SMP_BAD_STATE)
#define NOT_FINITE SMP_GROUP_ERROR(21u, SMP_UNKNOWN)
#define OTHER_START SMP_GROUP_ERROR(22u, SMP_BAD_STATE)

static const uint32_t widths[TRAINER_WEIGHT_LAYERS + 1u] = {TRAINER_WIDTHS};

/* Of the last TRAIN: an answer that is asked for again tells the same. */
static uint32_t cycles;

static uint32_t number(const struct smp_request *request, const char *key, uint32_t *value) {
    struct cbor_item item;
    if (!cbor_need(&request->map, key, CBOR_UINT, &item)) {
        return 0u;
    }
    *value = item.value;
    return 1u;
}

static uint32_t failure(uint32_t result) {
    switch (result) {
    case TRAINER_DONE:
        return SMP_OK;
    case TRAINER_NO_ROUND:
        return NO_ROUND;
    case TRAINER_NOT_FINITE:
        return NOT_FINITE;
    case TRAINER_OTHER_START:
        return OTHER_START;
    default:
        return OUT_OF_RANGE;
    }
}

static uint32_t begin(struct smp_request *request) {
    struct trainer_round asked;
    uint32_t rate;
    if (!number(request, "round", &asked.round) || !number(request, "rate", &rate) ||
        !number(request, "head_samples", &asked.head_samples) || !number(request, "head", &asked.head) ||
        !number(request, "size", &asked.start_bytes) || !number(request, "crc", &asked.start_crc)) {
        return MALFORMED;
    }
    memcpy(&asked.rate, &rate, sizeof rate); /* the bits of a float32 */
    request->key = "round";
    request->value = asked.round;
    return failure(trainer_begin(&asked));
}

static uint32_t write_start(struct smp_request *request) {
    struct cbor_item data;
    uint32_t offset;
    if (!number(request, "off", &offset) || !cbor_need(&request->map, "data", CBOR_BYTES, &data)) {
        return MALFORMED;
    }
    request->key = "off";
    request->value = offset + data.value;
    return failure(trainer_write(offset, data.data, data.value));
}

static uint32_t train(struct smp_request *request) {
    struct cbor_item data;
    uint32_t position;
    if (!number(request, "off", &position) || !cbor_need(&request->map, "data", CBOR_BYTES, &data)) {
        return MALFORMED;
    }
    const uint32_t taken = trainer_stats()->position, before = hal_cycles();
    const uint32_t result = trainer_take(position, data.data, data.value);
    if (trainer_stats()->position != taken) {
        cycles = hal_cycles() - before;
    }
    request->value = trainer_stats()->position;
    return failure(result);
}

/* A part of so many bytes, which trainer_put_group() sends. */
static uint32_t read_part(struct smp_request *request, uint32_t bytes) {
    uint32_t offset, length;
    if (!number(request, "off", &offset) || !number(request, "len", &length)) {
        return MALFORMED;
    }
    if (length > bytes || offset > bytes - length) {
        return OUT_OF_RANGE;
    }
    request->value = offset;
    request->length = length;
    return SMP_OK;
}

#if TRAINER_KEEPS_START
static uint32_t delta(struct smp_request *request) {
    uint32_t layers, keep, size;
    if (request->operation == SMP_READ) {
        (void)trainer_encoded(&size);
        return size != 0u ? read_part(request, size) : NO_ROUND;
    }
    if (!number(request, "layers", &layers) || !number(request, "keep", &keep)) {
        return MALFORMED;
    }
    const uint32_t result = trainer_encode(layers, keep);
    (void)trainer_encoded(&size);
    request->key = "size";
    request->value = size;
    return failure(result);
}
#endif

uint32_t trainer_group(struct smp_request *request) {
    const uint32_t reads = request->operation == SMP_READ;
    switch (request->command) {
    case TRAINER:
        return reads ? SMP_OK : begin(request);
    case PARAMETERS:
        return reads ? read_part(request, TRAINER_PARAMETER_BYTES) : write_start(request);
    case TRAIN:
        return reads ? SMP_UNSUPPORTED : train(request);
#if TRAINER_KEEPS_START
    case DELTA:
        return delta(request);
#endif
    default:
        return SMP_UNSUPPORTED;
    }
}

static void put_trainer(void) {
    const struct trainer_stats *const stats = trainer_stats();
    uint32_t loss;
    memcpy(&loss, &stats->loss, sizeof loss);
    cbor_put_head(CBOR_MAP, 10u);
    cbor_put_text("layers");
    cbor_put_head(CBOR_ARRAY, TRAINER_WEIGHT_LAYERS + 1u);
    for (uint32_t i = 0; i <= TRAINER_WEIGHT_LAYERS; i++) {
        cbor_put_uint(widths[i]);
    }
    cbor_put_uint_at("hidden", TRAINER_HIDDEN);
    cbor_put_uint_at("loss", TRAINER_LOSS);
    cbor_put_uint_at("start", TRAINER_KEEPS_START);
    cbor_put_uint_at("state", stats->state);
    cbor_put_uint_at("round", stats->round);
    cbor_put_uint_at("samples", stats->samples);
    cbor_put_uint_at("off", stats->position);
    cbor_put_uint_at("sum", loss);
    cbor_put_uint_at("record", TRAINER_RECORD_BYTES);
}

uint32_t trainer_put_group(const struct smp_request *request) {
    if (request->key != 0) {
        return 0u;
    }
    if (request->command == TRAINER) {
        put_trainer();
        return 1u;
    }
    cbor_put_head(CBOR_MAP, 2u);
    cbor_put_uint_at("off", request->value);
    if (request->command == TRAIN) {
        cbor_put_uint_at("cycles", cycles);
        return 1u;
    }
    const uint8_t *bytes = trainer_parameter_bytes();
#if TRAINER_KEEPS_START
    uint32_t size;
    if (request->command == DELTA) {
        bytes = trainer_encoded(&size);
    }
#endif
    cbor_put_text("data");
    cbor_put_head(CBOR_BYTES, request->length);
    cbor_sink(bytes + request->value, request->length);
    return 1u;
}
