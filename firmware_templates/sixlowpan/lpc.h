/*
 * 6LoWPAN fragments (RFC 4944) that are checked before they get memory, from neighbours that have a score. Its twin
 * in Python is tinyc/sixlowpan/receiver.py: the same verdicts, counters, scores and memory for the same frames.
 *
 * A datagram comes in one of three modes. Keyed: each fragment carries a tag of a SipHash chain that begins with a
 * key of the two ends. Content: each carries the hash of the next one, so that the first binds the rest. Legacy:
 * RFC 4944 as it is. Fragments of a chain begin with the byte 0xFF; from an address with a key they are keyed.
 */
#ifndef TINYC_LPC_H
#define TINYC_LPC_H

#include <stdint.h>

#include "iphc.h"
#include "lpc_address.h"
#include "lpc_config.h"

#define LPC_SIZE_MIN 40u
#define LPC_SIZE_MAX 1280u

/* In front of each variable that keeps something: a program with several nodes in it gathers them in a section. */
#ifndef LPC_STATE
#define LPC_STATE
#endif

enum lpc_mode { LPC_LEGACY = 0, LPC_CONTENT = 1, LPC_KEYED = 2 };

struct lpc_peer {
    struct lpc_address address;
    uint8_t mode_min; /* anything weaker from this address is dropped */
    uint8_t has_key;
    uint8_t key[16];
};

/* The application's, of LPC_PEERS entries. */
extern const struct lpc_peer lpc_peers[LPC_PEERS];
/*
 * The application's: the contexts of compressed addresses, and whether UDP checksums may be elided. Never in legacy
 * fragments, as nothing else tells a datagram from a mix of two there. Its addresses are not looked at.
 */
extern const struct iphc_link lpc_link;

struct lpc_meta {
    int8_t rssi; /* dBm */
    uint8_t dsn;
    uint8_t secured;
};

/* What became of a frame. Each has a counter; the protocol sends these numbers: they keep their meaning. */
enum lpc_verdict {
    LPC_TAKEN = 0,
    LPC_DELIVERED = 1,
    LPC_DUPLICATE = 2,      /* the same fragment again */
    LPC_DONE_DUPLICATE = 3, /* of a datagram that is finished */
    LPC_ORPHAN = 4,         /* no first fragment before it */
    LPC_AHEAD = 5,          /* a chain needs its fragments in order */
    LPC_BAD_LENGTH = 6,
    LPC_BAD_SIZE = 7,
    LPC_BAD_DISPATCH = 8,
    LPC_BAD_IPHC = 9,
    LPC_OVERLAP = 10,
    LPC_CONFLICT = 11, /* the same place with other bytes */
    LPC_OVERRUN = 12,
    LPC_MISALIGNED = 13,
    LPC_TAG_FIRST = 14,
    LPC_TAG_LATER = 15,
    LPC_REPLAY = 16,
    LPC_DOWNGRADE = 17,
    LPC_BLOCKED = 18,
    LPC_NO_SLOT = 19,
    LPC_NO_ADDRESS = 20,
    LPC_WHOLE = 21, /* no fragment: a datagram in one frame, for lpc_whole */
    LPC_BAD_SUM = 22, /* complete, but its checksum is wrong, or has to be there and is not */
    LPC_VERDICTS = 23
};

/* What happens to datagrams beside it: further counters. */
enum lpc_event {
    LPC_EVICTED = 23,
    LPC_TIMEOUT_GAP = 24,
    LPC_TIMEOUT_TOTAL = 25,
    LPC_RX_FIRST = 26, /* first and later fragments that came, whatever became of them */
    LPC_RX_LATER = 27,
    LPC_COUNTERS = 28
};

/*
 * A datagram that is delivered: `header` are its first bytes as the sender had them, at least the IPv6 header and
 * whatever was compressed; the rest is behind it, in pieces. Its upper layer's checksum is right: UDP's (made anew
 * where it was elided), TCP's or ICMPv6's. Only under a chain, and in one frame, there are other protocols.
 */
struct lpc_datagram {
    struct lpc_address source, destination;
    const uint8_t *header;
    const uint8_t *rest; /* the piece that comes next, where it is in the first fragment; for lpc_piece */
    uint16_t size;
    uint16_t tag;   /* 0 for one frame */
    uint16_t upper; /* where the header of the upper layer begins in the datagram */
    uint8_t header_length;
    uint8_t rest_length;
    uint8_t protocol; /* of the upper layer: 17 UDP */
    uint8_t mode;     /* LPC_LEGACY for one frame: nothing proves its source */
    uint8_t slot;     /* of the piece behind; LPC_SLOTS: none */
};

void lpc_init(void);
/* One MAC payload. Returns the verdict. */
uint32_t lpc_input(uint32_t now_ms, const struct lpc_address *source, const struct lpc_address *destination,
                   const struct lpc_meta *meta, const uint8_t *payload, uint8_t length);
/*
 * A datagram in one frame: what lpc_input calls LPC_WHOLE. LPC_DELIVERED, or why not; no evidence comes of it. From a
 * peer whose mode_min is a chain it is LPC_DOWNGRADE: such a peer sends a lone first fragment.
 */
uint32_t lpc_whole(uint32_t now_ms, const struct lpc_address *source, const struct lpc_address *destination,
                   const uint8_t *payload, uint8_t length);
/* Lets timers run out; lpc_input does so first, too. */
void lpc_poll(uint32_t now_ms);
/* The node has left: nothing of this source is kept. */
void lpc_forget(const struct lpc_address *source);
/* The application's. Header and pieces are there until it returns; it must not call lpc_input. */
void lpc_deliver(struct lpc_datagram *datagram);
/* The next piece behind the header in order, 0 behind the last. */
const uint8_t *lpc_piece(struct lpc_datagram *datagram, uint8_t *length);
/* Bytes of the datagram from an offset on, headers included, before a piece was taken. 0: it has not so many. */
uint32_t lpc_copy(const struct lpc_datagram *datagram, uint16_t offset, void *to, uint16_t length);

uint32_t lpc_counter(uint32_t which); /* a verdict or an event; 0 for others */
struct lpc_use {
    uint8_t slots, contexts;
};
struct lpc_use lpc_in_use(void);
/* A datagram under way, and what it takes: its slots and its context. */
struct lpc_holding {
    struct lpc_address source, destination;
    uint16_t size, tag;
    uint16_t bytes;
    uint8_t mode, slots;
};
/* For index 0 to LPC_CONTEXTS - 1: 1, or 0 where there is none. */
uint32_t lpc_held(uint32_t index, struct lpc_holding *holding);
/* 0..255 of a neighbour, 96 where none is known; keyed evidence is kept apart from the other. */
uint8_t lpc_score(const struct lpc_address *source, uint32_t keyed);
/* What is known of a neighbour; `ok` datagrams of it were complete (255: or more), `streak` in a row were not. */
struct lpc_neighbour {
    struct lpc_address address;
    uint8_t keyed, score, ok, streak, blocked;
};
/* Of one entry of the table, below LPC_NEIGHBOURS; 0 where it is free. */
uint32_t lpc_neighbour(uint32_t index, struct lpc_neighbour *neighbour);
/*
 * What has to survive a restart. The counter of a keyed chain, epoch << 16 | tag, is never used twice by its sender nor
 * taken twice by its receiver. A sender needs an epoch that it has not used: one more than the last. A receiver needs
 * for each peer a bound that none it has taken is above: lpc_peer_top as it was, or somewhat higher, which costs as
 * many datagrams. lowpan_store.c keeps both. Epochs up to LPC_EPOCHS_AHEAD beyond the last one are found again.
 */
#define LPC_EPOCHS_AHEAD 15u
/* The highest counter that a peer's chain has used, and after a restart: no counter up to this one is taken. */
uint32_t lpc_peer_top(uint32_t peer);
void lpc_peer_resume(uint32_t peer, uint32_t top);

/*
 * Sending, one datagram at a time. It is a header in the form that it goes out in, for `covers` bytes of the
 * datagram, and the rest; both stay where they are until the last fragment is made.
 */
struct lpc_outgoing {
    struct lpc_address source, destination;
    const uint8_t *header, *rest;
    uint16_t covers, rest_length;
    uint16_t tag, epoch;
    uint8_t header_length;
    uint8_t mode;
    const uint8_t *key; /* 16 bytes, keyed mode only */
};
/* Room is of the MAC payload, the same for all fragments. 1: ready, 0: this cannot be sent. */
uint32_t lpc_send_begin(const struct lpc_outgoing *outgoing, uint8_t room);
/* The next fragment into frame; its length, 0 behind the last. */
uint8_t lpc_send_next(uint8_t *frame);

#endif
