/* What a run of tests/fuzz/lpc_frames.c has sent, and whether a datagram that is delivered came from it. */
#ifndef LPC_SENT_H
#define LPC_SENT_H

#include <stdint.h>
#include <stdlib.h>

#include "lpc.h"

#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            abort(); \
        } \
    } while (0)

#define MADE_MOST 12u
#define PARTS_MOST 60u
#define SENT_MOST 72u
#define FRAME_MOST 136u

/* A datagram of a sender that keeps to the rules, and its fragments. */
struct made {
    struct lpc_address source, destination;
    uint16_t size, tag;
    uint8_t mode;
    uint8_t right; /* its UDP checksum, or it has none */
    uint8_t count, next;
    uint8_t delivered;
    uint8_t datagram[LPC_SIZE_MAX];
    uint8_t lengths[PARTS_MOST];
    uint16_t starts[PARTS_MOST]; /* of its fragments among sent_parts */
};

enum form { FORM_PLAIN, FORM_PLAIN_UDP, FORM_UDP, FORM_COMPRESSED, FORM_WRONG_SUM, FORM_ELIDED, FORM_OPTIONS, FORMS };

/* What to make. */
struct order {
    const struct lpc_address *source, *destination;
    const uint8_t *key; /* 16 bytes; keyed mode only */
    uint32_t counter;   /* epoch and tag */
    uint16_t size;
    uint8_t mode, form, room, fill;
};

extern struct made sent_made[MADE_MOST];
extern uint32_t sent_made_count;
extern uint8_t sent_parts[];

void sent_reset(void);
/* 0 where there is no more room, or where it cannot be sent so. */
struct made *sent_make(const struct order *order);
/* A frame is about to be given to the receiver. 0 where there is no more room. */
uint32_t sent_log(uint32_t now, const struct lpc_address *source, const struct lpc_address *destination,
                  const uint8_t *bytes, uint32_t length);
/* Aborts if this datagram was not sent, or is not right. `one_frame`: it came in the last frame of the log. */
void sent_check(uint32_t now, struct lpc_datagram *datagram, uint32_t one_frame);

#endif
