/*
 * Model `over air` over the air: see lowpan_model.h. Generated, do not edit.
 *
 * One request at a time. Its parts go straight into the arena, in order; each but the last is answered with the place
 * of the next, so that whoever asks knows what to send, or to send again.
 */
#include "lowpan_model.h"

#include <string.h>

#include "lowpan_node.h"
#include "model.h"
#include "smp.h"

#define VERSION 1u
#define REQUEST 1u
#define ANSWER 2u
#define HEADER 16u
#define DATA_MAX (LOWPAN_PAYLOAD_MAX - HEADER)
#define INPUT_BYTES 120u
#define OUTPUT_BYTES 5u
#define NO_LABEL 0xFFFFu
/* An input that gets no further is given up, and what the serial port has begun is left alone for so long. */
#define STALE_MS 5000u
#define SERIAL_MS 1000u
#define POLL_MS 1000u

enum status {
    DONE = 0,       /* the output, or a part of it */
    MORE = 1,       /* taken: `offset` is where the next part begins */
    DESCRIBED = 2,  /* the model's digest; `offset` has the bytes of its output, `total` those of its input */
    BAD_SIZE = 3,   /* another length than the model's input, or a part past its end; the same fields */
    BUSY = 4,       /* with somebody else's input, or the serial port's: later */
    START_OVER = 5, /* a part that does not follow what is here */
    BAD_REQUEST = 6 /* of another version, or no request */
};

struct place {
    uint32_t offset, size;
};

static const struct place inputs[] = {
    {OVER_AIR_INPUT_0_OFFSET, OVER_AIR_INPUT_0_SIZE},
};
static const struct place outputs[] = {
    {OVER_AIR_OUTPUT_0_OFFSET, OVER_AIR_OUTPUT_0_SIZE},
};

/* Who asks, and how far it is. */
static struct lowpan_ends asker;
static uint8_t asker_mode, request_id[2];
static enum { NOTHING, COLLECTING, COMPLETE, ANSWERING } state;
static uint32_t taken; /* bytes of the input that are here, or of the output that are sent */
static uint32_t moved_at, serial_at;
static uint8_t serial_was;
static uint16_t label;
static struct lowpan_model_counters counts;

void lowpan_model_start(void) {
    state = NOTHING;
    serial_was = 0u;
}

const struct lowpan_model_counters *lowpan_model_counters(void) {
    return &counts;
}

void lowpan_model_serial(uint32_t now_ms) {
    state = NOTHING;
    serial_at = now_ms;
    serial_was = 1u;
}

static uint32_t word_of(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put_word(uint8_t *bytes, uint32_t value) {
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

/* Where byte `at` of tensors that count one after the other lies, and how many follow it there. */
static uint8_t *find(const struct place *place, uint32_t at, uint32_t *room) {
    while (at >= place->size) {
        at -= place->size;
        place++;
    }
    *room = place->size - at;
    return over_air_arena() + place->offset + at;
}

/* Sends an answer with `length` bytes behind its header, which are there already. Returns 0 while it cannot. */
static uint32_t answer(const struct lowpan_ends *ends, uint8_t mode, const uint8_t *id, enum status status,
                       uint16_t told, uint32_t offset, uint32_t total, uint16_t length) {
    uint8_t *const made = lowpan_payload();
    if (made == 0) {
        return 0u;
    }
    made[0] = VERSION;
    made[1] = ANSWER;
    made[2] = id[0];
    made[3] = id[1];
    made[4] = (uint8_t)status;
    made[5] = 0u;
    made[6] = (uint8_t)(told >> 8);
    made[7] = (uint8_t)told;
    put_word(made + 8, offset);
    put_word(made + 12, total);
    if (lowpan_send_between(ends, mode, made, (uint16_t)(HEADER + length)) != LOWPAN_ACCEPTED) {
        return 0u;
    }
    counts.answers++;
    return 1u;
}

/* An answer that needs nothing kept: where it cannot be sent now, whoever asks has to ask again. */
static void tell(const struct lowpan_datagram *datagram, const uint8_t *id, enum status status, uint32_t offset) {
    uint8_t *const made = lowpan_payload();
    uint16_t length = 0u;
    uint32_t total = INPUT_BYTES;
    if (status != MORE) {
        counts.refused += status != DESCRIBED;
        offset = OUTPUT_BYTES;
    }
    if (status == DESCRIBED && made != 0) {
        memcpy(made + HEADER, over_air_digest, 32u);
        length = 32u;
    }
    (void)answer(&datagram->ends, datagram->mode, id, status, NO_LABEL, offset, total, length);
}

static uint32_t is_asker(const struct lowpan_datagram *datagram, const uint8_t *id) {
    return memcmp(&asker.link, &datagram->ends.link, sizeof asker.link) == 0 &&
           memcmp(asker.other, datagram->ends.other, sizeof asker.other) == 0 &&
           asker.other_port == datagram->ends.other_port && memcmp(request_id, id, sizeof request_id) == 0;
}

/* Whether somebody else has the model. */
static uint32_t is_taken(const struct lowpan_datagram *datagram, const uint8_t *id) {
    const uint32_t now = lowpan_now();
    if (serial_was != 0u && now - serial_at < SERIAL_MS) {
        return 1u;
    }
    serial_was = 0u;
    if (state == COLLECTING && (now - moved_at >= STALE_MS || is_asker(datagram, id))) {
        return 0u;
    }
    return state != NOTHING;
}

static void take(const struct lowpan_datagram *datagram, const uint8_t *header, uint32_t length) {
    const uint8_t *const id = header + 2;
    const uint32_t offset = word_of(header + 8);
    if (word_of(header + 12) == 0u) {
        tell(datagram, id, DESCRIBED, 0u);
        return;
    }
    if (word_of(header + 12) != INPUT_BYTES || length == 0u || length > INPUT_BYTES || offset > INPUT_BYTES - length) {
        tell(datagram, id, BAD_SIZE, 0u);
        return;
    }
    if (is_taken(datagram, id)) {
        tell(datagram, id, BUSY, 0u);
        return;
    }
    if (offset == 0u) {
        state = COLLECTING;
        asker = datagram->ends;
        asker_mode = datagram->mode;
        memcpy(request_id, id, sizeof request_id);
        taken = 0u;
    } else if (state != COLLECTING || !is_asker(datagram, id) || offset > taken) {
        tell(datagram, id, START_OVER, 0u);
        return;
    }
    if (offset == taken) {
        for (uint32_t done = 0u; done < length;) {
            uint32_t room;
            uint8_t *const there = find(inputs, offset + done, &room);
            const uint32_t part = length - done < room ? length - done : room;
            if (lowpan_read(datagram, (uint16_t)(HEADER + done), there, (uint16_t)part) != part) {
                state = NOTHING;
                return;
            }
            done += part;
        }
        taken += length;
    }
    moved_at = lowpan_now();
    if (taken == INPUT_BYTES) {
        state = COMPLETE;
    } else {
        tell(datagram, id, MORE, taken);
    }
}

void lowpan_receive(const struct lowpan_datagram *datagram) {
    uint8_t header[HEADER];
    if (datagram->ends.own_port != LOWPAN_PORT ||
        lowpan_read(datagram, 0u, header, sizeof header) != sizeof header) {
        return; /* nobody is told: it may not even be a request */
    }
    counts.requests++;
    if (header[0] != VERSION || header[1] != REQUEST) {
        if (header[1] != ANSWER) { /* two of us would never stop */
            tell(datagram, header + 2, BAD_REQUEST, 0u);
        }
        return;
    }
    take(datagram, header, (uint32_t)datagram->length - HEADER);
}

/* The first of the largest values of the first output. */
static uint16_t best(void) {
    const int8_t *const values =
        (const int8_t *)(const void *)(over_air_arena() + OVER_AIR_OUTPUT_0_OFFSET);
    uint32_t found = 0u;
    for (uint32_t i = 1u; i < 5u; i++) {
        found = values[i] > values[found] ? i : found;
    }
    return (uint16_t)found;
}

/* The next part of the output. */
static void send_part(void) {
    uint8_t *const made = lowpan_payload();
    const uint32_t rest = OUTPUT_BYTES - taken, length = rest < DATA_MAX ? rest : DATA_MAX;
    if (made == 0) {
        return;
    }
    for (uint32_t done = 0u; done < length;) {
        uint32_t room;
        const uint8_t *const there = find(outputs, taken + done, &room);
        const uint32_t part = length - done < room ? length - done : room;
        memcpy(made + HEADER + done, there, part);
        done += part;
    }
    if (answer(&asker, asker_mode, request_id, DONE, label, taken, OUTPUT_BYTES, (uint16_t)length) != 0u) {
        taken += length;
    } else {
        taken = OUTPUT_BYTES; /* it cannot be sent to whoever asked */
    }
    if (taken == OUTPUT_BYTES) {
        state = NOTHING;
    }
}

uint32_t lowpan_model_poll(uint32_t now_ms) {
    (void)now_ms;
    if (state == COMPLETE) {
        over_air_invoke();
        smp_count_invocation();
        label = best();
        state = ANSWERING;
        taken = 0u;
    }
    if (state == ANSWERING) {
        send_part();
    }
    return POLL_MS;
}
