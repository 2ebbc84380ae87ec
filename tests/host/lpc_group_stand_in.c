/*
 * A 6LoWPAN node without a radio, behind the serial protocol on this machine. INPUT is a frame: the time, the two
 * addresses as struct lpc_address, the payload; its answer's `off` is the verdict.
 */
#include <stdlib.h>
#include <string.h>

#include "cbor.h"
#include "lowpan_node.h"
#include "lpc.h"
#include "lpc_group.h"
#include "radio.h"
#include "smp.h"

#define FRAME 1u
#define FIXED (4u + 2u * sizeof(struct lpc_address))

static uint32_t now;
static uint32_t asked;

/* They change all the time, as those of a radio: an answer that reads them twice would be of two lengths. */
const struct radio_counters *radio_counters(void) {
    static struct radio_counters counts;
    static uint32_t step = 20u;
    counts.received += step++;
    counts.no_ack = ++asked;
    return &counts;
}

const struct lowpan_counters *lowpan_counters(void) {
    static const struct lowpan_counters counts = {1u, 2u, 3u, 4u, 5u, 6u, 7u};
    return &counts;
}

uint32_t radio_milliseconds(void) {
    return now;
}

void lpc_deliver(struct lpc_datagram *datagram) {
    (void)datagram;
}

static uint32_t feed(struct smp_request *request) {
    struct lpc_address source, destination;
    const struct lpc_meta meta = {-60, 0u, 0u};
    struct cbor_item data;
    static uint32_t begun;
    if (begun++ == 0u) {
        lpc_init();
    }
    if (!cbor_need(&request->map, "data", CBOR_BYTES, &data) || data.value < FIXED || data.value > FIXED + 127u) {
        return SMP_INVALID;
    }
    const uint8_t length = (uint8_t)(data.value - FIXED);
    uint8_t *const payload = malloc(length == 0u ? 1u : length);
    if (payload == 0) {
        return SMP_UNKNOWN;
    }
    memcpy(&now, data.data, sizeof now);
    memcpy(&source, data.data + 4, sizeof source);
    memcpy(&destination, data.data + 4 + sizeof source, sizeof destination);
    memcpy(payload, data.data + FIXED, length);
    request->key = "off";
    request->value = lpc_input(now, &source, &destination, &meta, payload, length);
    free(payload);
    return SMP_OK;
}

uint32_t smp_own_group(struct smp_request *request) {
    return request->command == FRAME ? feed(request) : lpc_group(request);
}

uint32_t smp_put_own_group(const struct smp_request *request) {
    return request->key != 0 ? 0u : lpc_group_put(request);
}
