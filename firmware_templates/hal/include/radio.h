/*
 * An IEEE 802.15.4 radio: receives always, filters by address and acknowledges by itself, sends one frame
 * at a time with CSMA-CA and retries. It works in its interrupts; what is here is called from outside them.
 */
#ifndef TINYC_RADIO_H
#define TINYC_RADIO_H

#include <stdint.h>

#include "lpc_address.h"

struct radio_settings {
    uint8_t channel; /* 11 to 26 */
    int8_t power;    /* dBm, one that the chip has */
    uint16_t pan;
    struct lpc_address short_address; /* absent where the node has none */
    struct lpc_address extended_address;
    uint32_t seed; /* of the backoff: another one in every node */
    uint8_t everything; /* 1: frames for others come too, and none is acknowledged */
};

/* A received frame for this node. It stays until radio_release. */
struct radio_frame {
    const uint8_t *bytes; /* without the check sum, which was right */
    uint8_t length;
    uint8_t quality; /* LQI, 0 to 255 */
    int8_t rssi;     /* dBm */
};

enum radio_outcome {
    RADIO_IDLE,         /* nothing was sent so far */
    RADIO_SENDING,      /* not over yet */
    RADIO_SENT,         /* and acknowledged, where that was asked for */
    RADIO_CHANNEL_BUSY, /* at every attempt of the CSMA-CA */
    RADIO_NO_ACK,       /* after every retry */
};

struct radio_counters {
    uint32_t received, bad_check_sum, filtered, repeated, no_room, acks_sent, acks_late;
    uint32_t sent, attempts, busy, no_ack;
};

/* Starts receiving. The clock must run from the crystal: hal_init sees to that. */
void radio_init(const struct radio_settings *settings);

/* The oldest frame, or 0 when there is none. */
const struct radio_frame *radio_receive(void);
void radio_release(void);

/* Begins to send a frame without its check sum. Returns 0 while one is being sent, or for a wrong length. */
uint32_t radio_send(const uint8_t *bytes, uint8_t length);
enum radio_outcome radio_outcome(void);

const struct radio_counters *radio_counters(void);

/* A number that changes with each interrupt of the radio: whether something has happened since. */
uint32_t radio_activity(void);

/* A clock for whoever uses the radio, which wraps. To be asked at least every four minutes. */
uint32_t radio_milliseconds(void);

/* What the vector table names. */
void radio_interrupt(void);
void radio_timer_interrupt(void);

#endif
