/* A node that keeps what it receives and sends what the test leaves in its outbox, on interrupt 0. */
#include "radio.h"
#include "test.h"

#define KEPT 32u

volatile uint32_t result[16];
volatile uint8_t outbox[128];
struct kept {
    uint8_t length, quality;
    int8_t rssi;
    uint8_t bytes[125];
};
volatile struct kept inbox[KEPT];
volatile uint32_t received, busy_for, deaf_for, sniffs;

void IRQ0_Handler(void) { result[0] = radio_send((const uint8_t *)outbox + 1, outbox[0]); }
void IRQ1_Handler(void) { radio_interrupt(); }
void IRQ9_Handler(void) { radio_timer_interrupt(); }

static void keep(const struct radio_frame *frame) {
    volatile struct kept *to = &inbox[received % KEPT];
    to->length = frame->length;
    to->quality = frame->quality;
    to->rssi = frame->rssi;
    for (uint32_t i = 0; i < frame->length; i++) to->bytes[i] = frame->bytes[i];
    received++;
}

int main(void) {
    struct radio_settings settings = {
        .channel = 15,
        .power = 0,
        .pan = 0xabcd,
        .short_address = {{0, NODE}, LPC_ADDRESS_SHORT},
        .extended_address = {{2, 0x12, 0x74, 0, 0, 0, 0, NODE}, LPC_ADDRESS_EXTENDED},
        .seed = 77u * NODE,
    };
    radio_init(&settings);
    enable_interrupt(0);
    for (;;) {
        sleep();
        if (sniffs != 0u && settings.everything == 0u) {
            settings.everything = 1u;
            radio_init(&settings);
        }
        __asm volatile("cpsid i" ::: "memory");
        while (deaf_for != 0u) deaf_for--; /* something that no interrupt may disturb */
        __asm volatile("cpsie i" ::: "memory");
        while (busy_for != 0u) busy_for--; /* the model runs */
        const struct radio_frame *frame = radio_receive();
        while (frame != 0) {
            keep(frame);
            radio_release();
            frame = radio_receive();
        }
        result[1] = radio_milliseconds();
    }
}
