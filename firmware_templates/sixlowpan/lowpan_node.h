/*
 * A node of a 6LoWPAN network, one hop wide: UDP over IPv6 over IEEE 802.15.4. Frames of the radio go through
 * lpc_input; datagrams that are whole and right come out at lowpan_receive, and lowpan_send sends one at a time. An
 * ICMPv6 echo request is answered. It knows no model and no application.
 */
#ifndef TINYC_LOWPAN_NODE_H
#define TINYC_LOWPAN_NODE_H

#include <stdint.h>

#include "lowpan_config.h"
#include "lpc.h"

/* Bytes behind the headers of IPv6 and UDP in a datagram of 1,280. */
#define LOWPAN_PAYLOAD_MAX 1232u

/* The two ends of a datagram: of the other one, its address on the link too. */
struct lowpan_ends {
    struct lpc_address link;
    uint8_t own[16], other[16]; /* IPv6 */
    uint16_t own_port, other_port;
};

/* UDP that has come. It is there until lowpan_receive returns; `ends` may be copied for an answer later on. */
struct lowpan_datagram {
    struct lowpan_ends ends;
    uint16_t length; /* of what UDP carries */
    uint8_t mode;    /* LPC_KEYED: the sender has proved itself */
    uint8_t skipped; /* bytes of headers in front of the payload */
    const struct lpc_datagram *whole;
};

enum lowpan_result {
    LOWPAN_ACCEPTED,  /* it is on its way; lowpan_outcome tells how that ended */
    LOWPAN_BUSY,      /* the one before it is still on its way */
    LOWPAN_TOO_LONG,  /* more than LOWPAN_PAYLOAD_MAX */
    LOWPAN_NO_ADDRESS /* nobody can be sent to under it, or the headers do not fit a frame */
};

enum lowpan_outcome { LOWPAN_QUIET, LOWPAN_SENDING, LOWPAN_SENT, LOWPAN_FAILED };

/* What happened to datagrams here; frames are counted by lpc_counter and radio_counters. */
struct lowpan_counters {
    uint32_t received;      /* UDP, handed to lowpan_receive */
    uint32_t echoes;        /* requests that were answered */
    uint32_t strange;       /* not for this node, or from an address that the sender does not have */
    uint32_t other;         /* neither UDP nor an echo request, or with headers in between */
    uint32_t sent, failed;  /* datagrams of ours */
    uint32_t fragments;     /* frames of ours, retries not counted */
};

/* Starts radio and receive path. hal_init has run. */
void lowpan_init(void);

/*
 * Takes what has come, sends what is to be sent, lets timers run out. Returns the milliseconds that it may sleep: 0
 * where something came or a datagram was sent, so that the application can make something of it.
 */
uint32_t lowpan_serve(uint32_t now_ms);

/*
 * Sends UDP from this node's link-local address to that of a neighbour, in the mode that was agreed with it. The
 * data are copied. Returns an enum lowpan_result.
 */
uint32_t lowpan_send(const struct lpc_address *destination, uint16_t source_port, uint16_t destination_port,
                     const uint8_t *data, uint16_t length);

/* Sends UDP between two ends, such as those of a request: `mode` is for neighbours of whom nothing is known. */
uint32_t lowpan_send_between(const struct lowpan_ends *ends, uint8_t mode, const uint8_t *data, uint16_t length);

/* LOWPAN_PAYLOAD_MAX bytes for data that are made in place and then sent, 0 while a datagram is on its way. */
uint8_t *lowpan_payload(void);

/* Of the last datagram sent. */
enum lowpan_outcome lowpan_outcome(void);

/* The time that lowpan_serve was told last. */
uint32_t lowpan_now(void);

/* Copies bytes of the payload from `offset` on. Returns how many there were, at most `length`. */
uint16_t lowpan_read(const struct lowpan_datagram *datagram, uint16_t offset, void *into, uint16_t length);

/* The address that frames of this node come from. */
const struct lpc_address *lowpan_address(void);

/* The link-local address of an address on the link (RFC 6282, 3.2.2). */
void lowpan_link_local(const struct lpc_address *address, uint8_t ip[16]);

const struct lowpan_counters *lowpan_counters(void);

/* The application's: a UDP datagram that is whole, with a right checksum. It may send. */
void lowpan_receive(const struct lowpan_datagram *datagram);

#endif
