/*
 * The receive and the sending path behind plain functions, for tinyc's simulator: several nodes share one copy of the
 * code. All that a node keeps lies in the section lpc_state (see LPC_STATE), so one node is left and another entered
 * by copying that section. Peers are set at run time, so they belong to a node's state too.
 */
#include <string.h>

#define lpc_peers lpc_peers_as_declared
#include "lpc.h"
#include "lpc_score.h"
#undef lpc_peers

#define ADDRESS 9u /* bytes of struct lpc_address: the simulator's form is the same */
#define OUTBOX 4096u

LPC_STATE struct lpc_peer lpc_peers[LPC_PEERS];
const struct iphc_link lpc_link = {0};

/* Made by the linker. */
extern uint8_t __start_lpc_state[], __stop_lpc_state[];

struct node_holding {
    uint8_t source[9];
    uint16_t tag, size, bytes;
};

/* Datagrams handed up since they were taken: each 9 bytes of source, tag and size (low byte first), and itself. */
LPC_STATE static uint8_t outbox[OUTBOX];
LPC_STATE static uint32_t filled;

_Static_assert(sizeof(struct lpc_address) == ADDRESS, "addresses are copied");

uint32_t node_state_size(void) {
    return (uint32_t)(__stop_lpc_state - __start_lpc_state);
}

void node_leave(uint8_t *state) {
    memcpy(state, __start_lpc_state, node_state_size());
}

void node_enter(const uint8_t *state) {
    memcpy(__start_lpc_state, state, node_state_size());
}

void node_start(void) {
    memset(__start_lpc_state, 0, node_state_size());
    lpc_init();
}

static struct lpc_address address_of(const uint8_t *bytes) {
    struct lpc_address address;
    memcpy(&address, bytes, sizeof address);
    return address;
}

/* Returns 0 if there is no such entry. */
uint32_t node_peer(uint32_t index, const uint8_t *address, uint8_t mode_min, const uint8_t *key) {
    if (index >= LPC_PEERS) {
        return 0u;
    }
    struct lpc_peer *const peer = lpc_peers + index;
    peer->address = address_of(address);
    peer->mode_min = mode_min;
    peer->has_key = key != 0;
    if (key != 0) {
        memcpy(peer->key, key, sizeof peer->key);
    }
    return 1u;
}

void lpc_deliver(struct lpc_datagram *datagram) {
    const uint8_t numbers[4] = {(uint8_t)(datagram->tag & 0xFFu), (uint8_t)(datagram->tag >> 8),
                                (uint8_t)(datagram->size & 0xFFu), (uint8_t)(datagram->size >> 8)};
    if (filled + ADDRESS + sizeof numbers + datagram->size <= OUTBOX) {
        memcpy(outbox + filled, &datagram->source, ADDRESS);
        memcpy(outbox + filled + ADDRESS, numbers, sizeof numbers);
        filled += ADDRESS + (uint32_t)sizeof numbers;
        filled += lpc_copy(datagram, 0u, outbox + filled, datagram->size) != 0u ? datagram->size : 0u;
    }
}

/* What is in the outbox; it is empty then. */
uint32_t node_take(const uint8_t **bytes) {
    const uint32_t length = filled;
    filled = 0u;
    *bytes = outbox;
    return length;
}

uint32_t node_input(uint32_t now_ms, const uint8_t *source, const uint8_t *destination, int8_t rssi, uint8_t dsn,
                    const uint8_t *payload, uint8_t length) {
    const struct lpc_address from = address_of(source), to = address_of(destination);
    const struct lpc_meta meta = {rssi, dsn, 0u};
    return lpc_input(now_ms, &from, &to, &meta, payload, length);
}

void node_poll(uint32_t now_ms) {
    lpc_poll(now_ms);
}

/* Into a table of LPC_CONTEXTS entries; returns how many. */
uint32_t node_held(struct node_holding *table) {
    uint32_t count = 0u;
    for (uint32_t i = 0u; i < LPC_CONTEXTS; i++) {
        struct lpc_holding it;
        if (lpc_held(i, &it) != 0u) {
            memcpy(table[count].source, &it.source, ADDRESS);
            table[count].tag = it.tag;
            table[count].size = it.size;
            table[count].bytes = it.bytes;
            count++;
        }
    }
    return count;
}

uint32_t node_full(void) {
    const struct lpc_use use = lpc_in_use();
    return use.slots == LPC_SLOTS || use.contexts == LPC_CONTEXTS;
}

uint32_t node_blocked(const uint8_t *address, uint32_t keyed) {
    const struct lpc_address it = address_of(address);
    return lpc_score_blocked(&it, keyed);
}

uint32_t node_counter(uint32_t which) {
    return lpc_counter(which);
}

/* All fragments of a datagram, each behind its length; returns the bytes of all of them, 0 if it cannot be sent. */
uint32_t node_send(const uint8_t *source, const uint8_t *destination, const uint8_t *header, uint8_t header_length,
                   uint16_t covers, const uint8_t *rest, uint16_t rest_length, uint8_t mode, uint32_t counter,
                   const uint8_t *key, uint8_t room, uint8_t *frames) {
    struct lpc_outgoing outgoing;
    uint32_t at = 0u;
    memset(&outgoing, 0, sizeof outgoing);
    outgoing.source = address_of(source);
    outgoing.destination = address_of(destination);
    outgoing.header = header;
    outgoing.rest = rest;
    outgoing.covers = covers;
    outgoing.rest_length = rest_length;
    outgoing.tag = (uint16_t)(counter & 0xFFFFu);
    outgoing.epoch = (uint16_t)(counter >> 16);
    outgoing.header_length = header_length;
    outgoing.mode = mode;
    outgoing.key = key;
    if (lpc_send_begin(&outgoing, room) == 0u) {
        return 0u;
    }
    for (uint8_t length = 1u; length != 0u; at += length != 0u ? length + 1u : 0u) {
        length = lpc_send_next(frames + at + 1u);
        frames[at] = length;
    }
    return at;
}
