/* An application that sends back what it gets, and sends what the test wants it to. */
#include "lowpan_application.h"

volatile uint32_t results[4]; /* of lowpan_send, by the order of the calls, and how often it was polled */
volatile uint32_t wanted;     /* bytes to be sent to the neighbour with this short address */

static uint8_t kept[LOWPAN_PAYLOAD_MAX];

void lowpan_application_start(void) {
    for (uint32_t i = 0; i < sizeof kept; i++) {
        kept[i] = (uint8_t)(i * 7u);
    }
}

uint32_t lowpan_application_poll(uint32_t now_ms) {
    static const struct lpc_address neighbour = {{0x12, 0x34}, LPC_ADDRESS_SHORT};
    (void)now_ms;
    results[3]++;
    if (wanted != 0u) {
        results[0] = lowpan_send(&neighbour, 7000u, 7001u, kept, (uint16_t)wanted);
        results[1] = lowpan_send(&neighbour, 7000u, 7001u, kept, 1u);
        results[2] = lowpan_send(&neighbour, 7000u, 7001u, kept, LOWPAN_PAYLOAD_MAX + 1u);
        wanted = 0u;
    }
    return 20u;
}

void lowpan_receive(const struct lowpan_datagram *datagram) {
    const uint16_t length = lowpan_read(datagram, 0u, kept, sizeof kept);
    (void)lowpan_send_between(&datagram->ends, datagram->mode, kept, length);
}
