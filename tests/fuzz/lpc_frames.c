/*
 * Sequences of frames for the 6LoWPAN receive path, by libFuzzer. The input is a list of records of eight bytes: what
 * happens, and its operands. Honest senders are the sending side's own C; what they send is lost, repeated, put out
 * of order, changed, cut anew and mixed, beside frames of any bytes. After each frame: each frame has one counter,
 * no slot is in two lists or in none, and what was refused has left no trace. What is delivered was sent
 * (lpc_sent.c). At the end all memory comes back, and honest datagrams still get through.
 */
#include <stddef.h>
#include <string.h>

#include "lpc_given.h"
#include "mac.h"

#define RECORD 8u
#define SOURCES 8u
#define AT_THE_END 2u /* datagrams that are made there */

enum what {
    TIME, /* (which, more): time passes */
    MAKE, /* (source, mode, size, form and destination, room, step, fill): an honest datagram */
    SEND, /* (datagram, count, lost, pause): its next fragments */
    PART, /* (datagram, fragment, source, change, three operands): one of them, changed */
    CUT,  /* (datagram, offset, length, flags, source): a fragment of its bytes, cut anew */
    RAW,  /* (length, source, destination): the records behind it are a MAC payload */
    AIR,  /* (length): the records behind it are a whole MAC frame */
    POLL,
    FORGET,  /* (source) */
    RESTART, /* the node starts again; it has kept the counters of its peers */
    REPEAT,  /* the last frame again */
    WHATS
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static const struct lpc_address sources[SOURCES] = {
    {{0u, 0u, 0u, 0u, 0u, 0u, 0u, 0xA0u}, LPC_ADDRESS_EXTENDED}, /* keyed */
    {{0u, 0u, 0u, 0u, 0u, 0u, 0u, 0xA1u}, LPC_ADDRESS_EXTENDED}, /* keyed, may send without */
    {{0u, 0u, 0u, 0u, 0u, 0u, 0u, 0xA2u}, LPC_ADDRESS_EXTENDED}, /* content chains at least */
    {{0u, 0xA3u}, LPC_ADDRESS_SHORT},                            /* keyed */
    {{0u, 0u, 0u, 0u, 0u, 0u, 0u, 0xB0u}, LPC_ADDRESS_EXTENDED},
    {{0u, 0xB1u}, LPC_ADDRESS_SHORT},
    {{0u, 0u, 0u, 0u, 0u, 0u, 0u, 0xC0u}, LPC_ADDRESS_EXTENDED}, /* one of many */
    {{0u}, LPC_ADDRESS_ABSENT},
};
static const struct lpc_address nodes[4] = {
    {{2u, 0x12u, 0x74u, 0u, 0u, 0u, 0u, 2u}, LPC_ADDRESS_EXTENDED},
    {{0u, 2u}, LPC_ADDRESS_SHORT},
    {{0xFFu, 0xFFu}, LPC_ADDRESS_SHORT},
    {{0u}, LPC_ADDRESS_ABSENT},
};
static const uint32_t pauses[16] = {0u, 1u, 5u, 20u, 59u, 60u, 61u, 250u, 499u, 500u, 501u, 999u, 1000u, 4999u, 5001u,
                                    16000u};

static uint32_t counters_of[SOURCES]; /* the highest that an honest sender has used */

static struct lpc_address source_of(uint8_t which) {
    struct lpc_address source = sources[which % SOURCES];
    if (which % SOURCES == 6u) {
        source.bytes[0] = (uint8_t)(which / SOURCES);
    }
    return source;
}

static void make(const uint8_t *record) {
    static const uint8_t rooms[8] = {104u, 116u, 96u, 80u, 64u, 56u, 48u, 40u};
    static const uint32_t steps[8] = {1u, 1u, 1u, 2u, 31u, 32u, 33u, 65500u};
    const struct lpc_address source = source_of(record[1]);
    struct order order;
    if (sent_made_count + AT_THE_END >= MADE_MOST) {
        return;
    }
    order.source = &source;
    order.destination = nodes + (record[4] / FORMS) % 4u;
    order.mode = record[2] % 3u;
    order.key = pair_key(&source);
    order.size = (uint16_t)(record[3] < 240u ? 56u + 2u * record[3] + (record[7] & 1u) : record[3] * 26u - 5350u);
    order.form = record[4] % FORMS;
    order.room = rooms[record[5] % 8u];
    order.fill = record[7];
    order.counter = record[6];
    if (order.mode == LPC_CONTENT && order.size > 6u * (order.room - 24u)) { /* its sender hashes n * n times */
        order.size = (uint16_t)(6u * (order.room - 24u));
    }
    if (order.mode == LPC_KEYED) {
        if (order.key == 0) {
            return;
        }
        /* A holder of the key uses no counter twice. */
        counters_of[record[1] % SOURCES] += steps[record[6] % 8u];
        order.counter = counters_of[record[1] % SOURCES];
    }
    (void)sent_make(&order);
}

static struct made *made_of(uint8_t which) {
    return sent_made_count == 0u ? 0 : sent_made + which % sent_made_count;
}

static void send(const uint8_t *record) {
    struct made *const it = made_of(record[1]);
    for (uint32_t i = 0u; it != 0 && i <= record[2] % 16u && it->next < it->count; i++, it->next++) {
        if ((record[3] >> (i % 8u) & 1u) == 0u) {
            (void)give(&it->source, &it->destination, sent_parts + it->starts[it->next], it->lengths[it->next]);
        }
        given_now += pauses[record[4] % 8u];
    }
}

/* The changes that an attacker makes who has heard a fragment. */
static uint32_t changed(uint8_t *frame, uint32_t length, const uint8_t *operands) {
    const uint32_t chained = frame[0] == 0xFFu;
    switch (operands[0] % 11u) {
    case 1: frame[operands[1] % length] ^= (uint8_t)(1u << operands[2] % 8u); break;
    case 2: length -= operands[1] % length; break;
    case 3:
        memset(frame + length, operands[2], 8u);
        length += 1u + operands[1] % 8u;
        break;
    case 4: frame[operands[1] % length] = operands[2]; break;
    case 5: frame[(chained + 4u) % length] = (uint8_t)(frame[(chained + 4u) % length] + operands[1] - 4u); break;
    case 6: frame[(chained + 1u) % length] = (uint8_t)(frame[(chained + 1u) % length] + operands[1] - 8u); break;
    case 7: frame[(chained + 3u) % length] = (uint8_t)(frame[(chained + 3u) % length] + operands[1] - 2u); break;
    case 8: { /* the end of another one */
        const struct made *const other = made_of(operands[1]);
        const uint32_t part = operands[2] % other->count, bytes = 1u + operands[3] % 12u;
        if (bytes <= length && bytes <= other->lengths[part]) {
            memcpy(frame + length - bytes, sent_parts + other->starts[part] + other->lengths[part] - bytes, bytes);
        }
        break;
    }
    case 9: /* as a chain, or no more as one */
        if (chained != 0u) {
            memmove(frame, frame + 1, --length);
        } else {
            memmove(frame + 1, frame, length++);
            frame[0] = 0xFFu;
        }
        break;
    case 10: /* what is in it, as a frame of its own */
        if (length > chained + 5u) {
            length -= chained + 4u;
            memmove(frame, frame + chained + 4u, length);
        }
        break;
    default: break;
    }
    return length;
}

static void part(const uint8_t *record) {
    const struct made *const it = made_of(record[1]);
    uint8_t frame[FRAME_MOST];
    if (it == 0 || it->count == 0u) {
        return;
    }
    const uint32_t which = record[2] % it->count;
    memcpy(frame, sent_parts + it->starts[which], it->lengths[which]);
    const struct lpc_address other = source_of(record[3]);
    const uint32_t length = changed(frame, it->lengths[which], record + 4);
    (void)give((record[3] & 0x80u) != 0u ? &other : &it->source, &it->destination, frame, length);
}

static void cut(const uint8_t *record) {
    const struct made *const it = made_of(record[1]);
    uint8_t frame[FRAME_MOST] = {0xFFu};
    if (it == 0) {
        return;
    }
    const uint32_t chained = record[4] & 1u;
    uint8_t *const fragment = frame + chained;
    uint32_t offset = record[2] * 8u % it->size, length = record[3] % 105u, head = 5u;
    if ((record[4] & 2u) != 0u && length > 8u) {
        length = length / 8u * 8u;
    }
    length = length > it->size - offset ? it->size - offset : length;
    fragment[0] = (uint8_t)((offset == 0u && (record[4] & 4u) == 0u ? 0xC0u : 0xE0u) | it->size >> 8);
    fragment[1] = (uint8_t)it->size;
    fragment[2] = (uint8_t)(it->tag >> 8);
    fragment[3] = (uint8_t)it->tag;
    fragment[4] = (fragment[0] & 0xE0u) == 0xE0u ? (uint8_t)(offset / 8u) : 0x41u;
    memcpy(fragment + head, it->datagram + offset, length);
    if ((record[4] & 8u) != 0u && length != 0u) {
        fragment[head + record[6] % length] ^= record[7];
    }
    const struct lpc_address other = source_of(record[5]);
    (void)give((record[5] & 0x80u) != 0u ? &other : &it->source, &it->destination, frame, chained + head + length);
}

static void air(const uint8_t *bytes, uint32_t length) {
    struct mac_frame frame;
    const uint32_t verdict = mac_parse(bytes, (uint8_t)length, &frame);
    REQUIRE((uint32_t)frame.payload + frame.payload_length <= length);
    if (verdict == MAC_OK && frame.type == MAC_DATA) {
        (void)give(&frame.source, &frame.destination, bytes + frame.payload, frame.payload_length);
    }
}

static void restart(void) {
    uint32_t tops[LPC_PEERS];
    for (uint32_t i = 0u; i < LPC_PEERS; i++) {
        tops[i] = lpc_peer_top(i);
    }
    lpc_init();
    for (uint32_t i = 0u; i < LPC_PEERS; i++) {
        lpc_peer_resume(i, tops[i]);
    }
    given_restarted();
}

/* An honest datagram in order, nobody disturbs: delivered. */
static void gets_through(const struct lpc_address *source, uint8_t mode, uint32_t counter) {
    static const uint8_t fill[2] = {0x35u, 0x78u};
    struct order order = {source, nodes, pair_key(source), counter, 180u, mode, FORM_UDP, 104u, fill[mode == LPC_KEYED]};
    const struct made *const it = sent_make(&order);
    uint32_t verdict = LPC_TAKEN;
    for (uint32_t i = 0u; it != 0 && i < it->count && verdict == LPC_TAKEN; i++) {
        verdict = give(source, nodes, sent_parts + it->starts[i], it->lengths[i]);
    }
    REQUIRE(verdict == LPC_DELIVERED);
}

static void end(void) {
    static const struct lpc_address fresh = {{0xFEu}, LPC_ADDRESS_EXTENDED};
    given_now += LPC_TOTAL_MS > LPC_DONE_MS ? LPC_TOTAL_MS : LPC_DONE_MS;
    lpc_poll(given_now);
    const struct lpc_use use = lpc_in_use();
    REQUIRE(use.slots == 0u && use.contexts == 0u);
    check_lists(&use);
    given_most = SENT_MOST;
    gets_through(&fresh, LPC_LEGACY, 77u);
    /* Unless its own lost datagrams have blocked it, or it is about an epoch ahead. */
    const uint32_t counter = counters_of[0] + 1u;
    if (lpc_score(sources, 1u) >= 48u && counter - lpc_peer_top(0u) <= 0xFFE0u) {
        gets_through(sources, LPC_KEYED, counter);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
    size_t at = 0u;
    lpc_init();
    sent_reset();
    memset(counters_of, 0, sizeof counters_of);
    given_now = 0u;
    given_reset();
    given_most = SENT_MOST - AT_THE_END * 3u;
    if (length >= RECORD) { /* the clock at the start, and the counters */
        given_now = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 8;
        for (uint32_t i = 0u; i < SOURCES; i++) {
            counters_of[i] = data[2 + (i & 1u)] == 0xFFu ? 0xFFF0u : data[2 + (i & 1u)];
        }
        at = RECORD;
    }
    while (at + RECORD <= length) {
        const uint8_t *const record = data + at;
        const size_t left = length - at - RECORD;
        uint32_t bytes = record[1] % (FRAME_MOST + 1u);
        bytes = bytes < left ? bytes : (uint32_t)left;
        at += RECORD;
        switch (record[0] % WHATS) {
        case TIME: given_now += pauses[record[1] % 16u] + record[2]; break;
        case MAKE: make(record); break;
        case SEND: send(record); break;
        case PART: part(record); break;
        case CUT: cut(record); break;
        case RAW: {
            const struct lpc_address source = source_of(record[2]);
            (void)give(&source, nodes + record[3] % 4u, data + at, bytes);
            at += (bytes + RECORD - 1u) / RECORD * RECORD;
            break;
        }
        case AIR:
            air(data + at, bytes);
            at += (bytes + RECORD - 1u) / RECORD * RECORD;
            break;
        case POLL:
            lpc_poll(given_now);
            break;
        case FORGET: {
            const struct lpc_address source = source_of(record[1]);
            given_forget(&source);
            break;
        }
        case RESTART: restart(); break;
        default: give_again(); break;
        }
    }
    end();
    return 0;
}
