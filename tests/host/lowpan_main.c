/*
 * A node with a model, or with an application that sends back what it gets, on this machine. Records on stdin: `f`
 * time, length, frame; `p` time; `r` what becomes of frames from now on; `s` time: the serial port was served. After
 * each, on stdout: how many frames were sent, each with its length in front.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal.h"
#include "lowpan_node.h"
#include "radio.h"
#if SERVES_MODEL
#include "lowpan_model.h"
#include "smp.h"
#endif

#define SENT_MOST 64u
#define TURNS 200u

static uint8_t sent[SENT_MOST][128], lengths[SENT_MOST];
static struct radio_frame frame;
static uint32_t waits, count;
static enum radio_outcome next = RADIO_SENT, outcome = RADIO_IDLE;

void hal_device_id(uint8_t id[8]) {
    memset(id, 0x5A, 8);
}

void radio_init(const struct radio_settings *settings) {
    (void)settings;
}

const struct radio_frame *radio_receive(void) {
    return waits != 0u ? &frame : 0;
}

void radio_release(void) {
    waits = 0u;
}

uint32_t radio_send(const uint8_t *bytes, uint8_t length) {
    if (count == SENT_MOST || outcome == RADIO_SENDING) {
        return 0u;
    }
    memcpy(sent[count], bytes, length);
    lengths[count++] = length;
    outcome = next;
    return 1u;
}

enum radio_outcome radio_outcome(void) {
    return outcome;
}

static uint32_t serve(uint32_t now) {
    uint32_t wait = 0u;
#if SERVES_MODEL
    (void)lowpan_model_poll(now);
#endif
    for (uint32_t i = 0; i < TURNS; i++) {
        const uint32_t before = count;
        wait = lowpan_serve(now);
#if SERVES_MODEL
        (void)lowpan_model_poll(now);
#endif
        if (wait != 0u && count == before && (outcome == RADIO_SENDING || lowpan_outcome() != LOWPAN_SENDING)) {
            break;
        }
    }
    return wait;
}

#if SERVES_MODEL
void smp_count_invocation(void) {
}
#else
void lowpan_receive(const struct lowpan_datagram *datagram) {
    static uint8_t data[LOWPAN_PAYLOAD_MAX];
    const uint16_t length = lowpan_read(datagram, 0u, data, sizeof data);
    if (length != datagram->length) {
        abort();
    }
    (void)lowpan_send_between(&datagram->ends, datagram->mode, data, length);
}
#endif

static uint32_t word(void) {
    uint32_t value = 0u;
    return fread(&value, sizeof value, 1, stdin) == 1u ? value : 0u;
}

static void put_word(uint32_t value) {
    fwrite(&value, sizeof value, 1, stdout);
}

int main(void) {
    int kind;
    lowpan_init();
#if SERVES_MODEL
    lowpan_model_start();
#endif
    while ((kind = getchar()) != EOF) {
        const uint32_t now = word();
        if (kind == 'f') {
            const uint32_t length = word();
            /* As long as the frame: a byte behind it is not there. */
            uint8_t *const bytes = malloc(length != 0u ? length : 1u);
            if (bytes == 0 || length > 125u || fread(bytes, 1, length, stdin) != length) {
                return 1;
            }
            frame.bytes = bytes;
            frame.length = (uint8_t)length;
            frame.rssi = -60;
            waits = 1u;
            (void)serve(now);
            free(bytes);
        } else if (kind == 'r') {
            next = (enum radio_outcome)now;
            if (outcome == RADIO_SENDING) {
                outcome = next;
            }
        } else if (kind == 's') {
#if SERVES_MODEL
            lowpan_model_serial(now);
#endif
        } else {
            (void)serve(now);
        }
        put_word(count);
        for (uint32_t i = 0; i < count; i++) {
            put_word(lengths[i]);
            fwrite(sent[i], 1, lengths[i], stdout);
        }
        count = 0u;
        fflush(stdout);
    }
    const struct lowpan_counters *const counts = lowpan_counters();
    fprintf(stderr, "%u %u %u %u %u %u\n", (unsigned)counts->received, (unsigned)counts->echoes,
            (unsigned)counts->strange, (unsigned)counts->other, (unsigned)counts->sent, (unsigned)counts->failed);
    return 0;
}
