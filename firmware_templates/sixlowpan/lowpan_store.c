/*
 * A log of counters in two pages: see lowpan_store.h.
 *
 * A record is two words: a counter (epoch in the upper half, tag in the lower), and whose it is with a check. The last
 * record of an owner counts; one that a power cut broke off has a wrong check and is passed over. When a page is full,
 * the newest record of each owner goes to the other one, whose heading is written last: until then the old page counts.
 *
 * Of a peer not each counter is kept, which would wear the flash out: after a restart, all of the 32 that the last
 * record lies in are taken as used. So at most 31 datagrams of an honest peer are refused then, and no replay is taken,
 * but of what came in the last second before a power cut: a record is written once a second at most, so that a peer
 * whose counters leap does not wear the flash out.
 */
#include "lowpan_store.h"

#include <string.h>

#include "lpc.h"

#define RECORD 2u /* words */
#define OWN 0xFFFEu
#define HEADING 0xFFFDu
#define STEP 31u /* counters that one record stands for, less one */
#define SAVE_MS 1000u

static uint32_t saved[LPC_PEERS]; /* the counters of the records; 0 for none */
static uint32_t own;              /* epoch << 16 of ours; with UNKNOWN for none */
static uint32_t active, next, serial, saved_at;

#define UNKNOWN 0xFFFFFFFFu

static uint32_t with_check(uint32_t counter, uint32_t owner) {
    const uint32_t mixed = counter ^ counter >> 16 ^ owner ^ 0xA55Au;
    return (mixed & 0xFFFFu) << 16 | owner;
}

static uint32_t read(uint32_t page, uint32_t at, uint32_t *counter, uint32_t *owner) {
    const uint32_t mark = lowpan_page_read(page, at + 1u);
    *counter = lowpan_page_read(page, at);
    *owner = mark & 0xFFFFu;
    return mark == with_check(*counter, *owner);
}

static uint32_t is_blank(uint32_t page, uint32_t at) {
    return (lowpan_page_read(page, at) & lowpan_page_read(page, at + 1u)) == 0xFFFFFFFFu;
}

static void write(uint32_t page, uint32_t at, uint32_t counter, uint32_t owner) {
    const uint32_t words[RECORD] = {counter, with_check(counter, owner)};
    lowpan_page_write(page, at, words);
}

/* The other page gets the newest of each owner, and then counts. */
static void move(void) {
    const uint32_t page = 1u - active;
    uint32_t at = RECORD;
    lowpan_page_erase(page);
    if (own != UNKNOWN) {
        write(page, at, own, OWN);
        at += RECORD;
    }
    for (uint32_t i = 0u; i < LPC_PEERS; i++) {
        if (saved[i] != 0u) {
            write(page, at, saved[i], i);
            at += RECORD;
        }
    }
    serial++;
    write(page, 0u, serial, HEADING);
    active = page;
    next = at;
}

static void append(uint32_t counter, uint32_t owner) {
    if (next + RECORD > LOWPAN_STORE_WORDS) {
        move(); /* with the new one, which is among what is known already */
        return;
    }
    write(active, next, counter, owner);
    next += RECORD;
}

static void load(void) {
    uint32_t counter, owner, found = 0u;
    for (uint32_t page = 0u; page < 2u; page++) {
        if (read(page, 0u, &counter, &owner) && owner == HEADING && (found == 0u || counter - serial < 0x80000000u)) {
            active = page;
            serial = counter;
            found = 1u;
        }
    }
    if (found == 0u) {
        return;
    }
    for (next = RECORD; next + RECORD <= LOWPAN_STORE_WORDS && !is_blank(active, next); next += RECORD) {
        if (!read(active, next, &counter, &owner)) {
            continue;
        }
        if (owner == OWN) {
            own = counter;
        } else if (owner < LPC_PEERS) {
            saved[owner] = counter;
        }
    }
}

uint16_t lowpan_store_begin(void) {
    memset(saved, 0, sizeof saved);
    own = UNKNOWN;
    active = 1u;
    serial = 0u;
    saved_at = 0u;
    next = LOWPAN_STORE_WORDS;
    load();
    for (uint32_t i = 0u; i < LPC_PEERS; i++) {
        if (saved[i] != 0u) {
            lpc_peer_resume(i, saved[i] | STEP);
        }
    }
    own = own == UNKNOWN ? 0u : own + 0x10000u;
    append(own, OWN);
    return (uint16_t)(own >> 16);
}

void lowpan_store_poll(uint32_t now_ms, uint16_t epoch) {
    if (now_ms - saved_at < SAVE_MS) {
        return;
    }
    if (epoch > own >> 16) {
        own = (uint32_t)epoch << 16;
        saved_at = now_ms;
        append(own, OWN);
        return;
    }
    for (uint32_t i = 0u; i < LPC_PEERS; i++) {
        const uint32_t top = lpc_peer_top(i);
        if (top != 0u && (saved[i] == 0u || top > (saved[i] | STEP))) {
            saved[i] = top;
            saved_at = now_ms;
            append(top, i);
            return;
        }
    }
}
