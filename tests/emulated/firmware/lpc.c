/* The 6LoWPAN receive path and its sending side, one frame per wake-up. */
#include "test.h"

#include "lpc.h"

/* in: time, bytes of the payload; out: the verdict, frames so far, bytes delivered. */
volatile uint32_t result[16];
uint8_t payload[128], source[9], destination[9], radio[2];
/* in: what to do, then of the datagram that is sent: mode, tag, bytes covered, of the header, of the rest, of a frame. */
enum { RECEIVE, BEGIN, NEXT };
volatile uint32_t order[8];
uint8_t header[64], rest[1280], key[16];

void lpc_deliver(struct lpc_datagram *datagram) {
    uint8_t length;
    while (lpc_piece(datagram, &length) != 0) {
        result[4] += length;
    }
}

static void address(struct lpc_address *to, const uint8_t *from) {
    for (uint32_t i = 0u; i < 8u; i++) {
        to->bytes[i] = from[i];
    }
    to->kind = from[8];
}

static uint32_t begin(void) {
    struct lpc_outgoing outgoing;
    address(&outgoing.source, source);
    address(&outgoing.destination, destination);
    outgoing.mode = (uint8_t)order[1];
    outgoing.tag = (uint16_t)order[2];
    outgoing.epoch = 0u;
    outgoing.covers = (uint16_t)order[3];
    outgoing.header_length = (uint8_t)order[4];
    outgoing.rest_length = (uint16_t)order[5];
    outgoing.header = header;
    outgoing.rest = rest;
    outgoing.key = key;
    return lpc_send_begin(&outgoing, (uint8_t)order[6]);
}

static uint32_t receive(void) {
    const struct lpc_meta meta = {(int8_t)radio[0], radio[1], 0u};
    struct lpc_address from, to;
    address(&from, source);
    address(&to, destination);
    return lpc_input(result[0], &from, &to, &meta, payload, (uint8_t)result[1]);
}

int main(void) {
    lpc_init();
    enable_interrupt(0); /* the test wakes us through it */
    for (;;) {
        sleep();
        result[2] = order[0] == RECEIVE ? receive() : order[0] == BEGIN ? begin() : lpc_send_next(payload);
        result[3]++;
    }
}

void IRQ0_Handler(void) {}
