/* Datagrams under way and their fragments in slots: see lpc_contexts.c. */
#ifndef TINYC_LPC_CONTEXTS_H
#define TINYC_LPC_CONTEXTS_H

#include "lpc.h"

struct lpc_context {
    uint64_t chain; /* keyed: the chain's value so far; content: the hash that the next fragment must have */
    uint32_t opened;
    uint16_t moved; /* milliseconds after that: at most LPC_TOTAL_MS */
    struct lpc_address source, destination;
    uint16_t size; /* 0: free */
    uint16_t tag;
    uint16_t covers; /* bytes of the datagram in its first fragment */
    uint16_t have;   /* bytes of it that are here; of a chain, they are the first ones */
    uint16_t sum;    /* for the checksum, over what is behind the first fragment */
    uint8_t mode;
    uint8_t slot, last; /* the first fragment's, and the one of the highest offset */
    uint8_t rank; /* 0 looks honest, 255 does not; 0 without a model */
    uint8_t level; /* of the radio at its first fragment: lpc_features.c */
    uint8_t place; /* of its source among the neighbours, LPC_NEIGHBOURS where it has none */
};

/* How a piece lies to what is here. */
enum lpc_relation { LPC_NEW, LPC_SAME, LPC_DIFFERENT, LPC_PARTLY };

void lpc_contexts_init(void);
/* The source has this place among the neighbours now; whoever had it has none. */
void lpc_contexts_meet(uint8_t place, const struct lpc_address *source, uint32_t keyed);
void lpc_expire(uint32_t now_ms);
void lpc_counters_init(void);
void lpc_count(uint32_t which);
uint32_t lpc_contexts_open(void); /* how many */
/* The context with the key of `like` (addresses, size, tag, mode), 0 if there is none. `after`: behind this one, as
 * what does not prove its source may have two. */
struct lpc_context *lpc_context_find(const struct lpc_context *like, struct lpc_context *after);
/* Another one with the same key. */
struct lpc_context *lpc_context_twin(struct lpc_context *context);
/* Room for a first fragment among those of its source, which may cost another one of them; 0 if there is none. */
uint32_t lpc_context_admit(uint32_t now_ms, const struct lpc_context *like, uint32_t blocked);
/* A context like the given one with its first fragment; 0 if there is no room. Others may be evicted. */
struct lpc_context *lpc_context_open(uint32_t now_ms, const struct lpc_context *like, const uint8_t *content,
                                     uint8_t length);
uint32_t lpc_context_first_is(const struct lpc_context *context, const uint8_t *content, uint8_t length);
/* The last bytes of the first fragment's slot, for what is to be kept with it; it must not reach them. */
#define LPC_NOTE_BYTES 8u
uint8_t *lpc_context_note(const struct lpc_context *context);
enum lpc_relation lpc_context_compare(const struct lpc_context *context, uint16_t offset, const uint8_t *payload,
                                      uint8_t length);
/* A piece that is new. 0 if there is no room; then the context is free. */
uint32_t lpc_context_store(uint32_t now_ms, struct lpc_context *context, uint16_t offset, const uint8_t *payload,
                           uint8_t length);
/* Complete: delivers and remembers it if it is right, frees it. LPC_DELIVERED, LPC_BAD_IPHC or LPC_BAD_SUM. */
uint32_t lpc_context_finish(uint32_t now_ms, struct lpc_context *context);
void lpc_context_free(struct lpc_context *context);

#endif
