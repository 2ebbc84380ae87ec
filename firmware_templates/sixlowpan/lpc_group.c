/*
 * Counters of the receive path and of the radio, memory in use, and neighbours in pages. All of it is read only.
 * An answer is written twice, once to be measured, so what the radio's interrupts change is copied before.
 */
#include "lpc_group.h"

#include <string.h>

#include "cbor.h"
#include "lowpan_node.h"
#include "lpc.h"
#include "radio.h"

enum command { LOWPAN = 15, NEIGHBOURS = 16 };

#define MALFORMED SMP_GROUP_ERROR(2u, SMP_INVALID)
#define OUT_OF_RANGE SMP_GROUP_ERROR(3u, SMP_INVALID)

/* Entries of the table of neighbours in one answer, free ones included: they fit the smallest buffer. */
#define PAGE 8u
#define RADIO_COUNTERS (sizeof(struct radio_counters) / sizeof(uint32_t))
#define NODE_COUNTERS (sizeof(struct lowpan_counters) / sizeof(uint32_t))

uint32_t lpc_group(struct smp_request *request) {
    struct cbor_item first;
    if (request->operation != SMP_READ) {
        return SMP_UNSUPPORTED;
    }
    switch (request->command) {
    case LOWPAN:
        memcpy(request->message, radio_counters(), sizeof(struct radio_counters));
        request->value = radio_milliseconds();
        return SMP_OK;
    case NEIGHBOURS:
        if (!cbor_need(&request->map, "first", CBOR_UINT, &first)) {
            return MALFORMED;
        }
        if (first.value > LPC_NEIGHBOURS) {
            return OUT_OF_RANGE;
        }
        request->value = first.value;
        return SMP_OK;
    default:
        return SMP_UNSUPPORTED;
    }
}

static void put_list(const char *key, uint32_t count) {
    cbor_put_text(key);
    cbor_put_head(CBOR_ARRAY, count);
}

static void put_numbers(const char *key, const void *numbers, uint32_t count) {
    const uint32_t *const each = (const uint32_t *)numbers;
    put_list(key, count);
    for (uint32_t i = 0; i < count; i++) {
        cbor_put_uint(each[i]);
    }
}

static void put_node(const struct smp_request *request) {
    const struct lpc_use used = lpc_in_use();
    cbor_put_head(CBOR_MAP, 5u);
    cbor_put_uint_at("ms", request->value);
    put_list("counters", LPC_COUNTERS);
    for (uint32_t i = 0; i < LPC_COUNTERS; i++) {
        cbor_put_uint(lpc_counter(i));
    }
    put_numbers("node", lowpan_counters(), NODE_COUNTERS);
    put_numbers("radio", request->message, RADIO_COUNTERS);
    put_list("memory", 6u);
    cbor_put_uint(used.slots);
    cbor_put_uint(LPC_SLOTS);
    cbor_put_uint(LPC_SLOT_BYTES);
    cbor_put_uint(used.contexts);
    cbor_put_uint(LPC_CONTEXTS);
    cbor_put_uint(LPC_NEIGHBOURS);
}

static void put_neighbour(const struct lpc_neighbour *it) {
    cbor_put_head(CBOR_ARRAY, 6u);
    cbor_put_string(CBOR_BYTES, it->address.bytes, it->address.kind);
    cbor_put_uint(it->keyed);
    cbor_put_uint(it->score);
    cbor_put_uint(it->ok);
    cbor_put_uint(it->streak);
    cbor_put_uint(it->blocked);
}

static void put_neighbours(uint32_t first) {
    const uint32_t end = LPC_NEIGHBOURS - first < PAGE ? LPC_NEIGHBOURS : first + PAGE;
    struct lpc_neighbour it;
    uint32_t known = 0u;
    for (uint32_t i = first; i < end; i++) {
        known += lpc_neighbour(i, &it);
    }
    cbor_put_head(CBOR_MAP, 2u);
    cbor_put_uint_at("next", end);
    put_list("neighbours", known);
    for (uint32_t i = first; i < end; i++) {
        if (lpc_neighbour(i, &it)) {
            put_neighbour(&it);
        }
    }
}

uint32_t lpc_group_put(const struct smp_request *request) {
    if (request->command == LOWPAN) {
        put_node(request);
    } else {
        put_neighbours(request->value);
    }
    return 1u;
}
