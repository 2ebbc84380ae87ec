/* Datagrams that were delivered just now, so that a late copy of one opens nothing: see lpc_done.c. */
#ifndef TINYC_LPC_DONE_H
#define TINYC_LPC_DONE_H

#include "lpc_contexts.h"

static inline uint32_t lpc_least(uint32_t one, uint32_t other) {
    return one < other ? one : other;
}

void lpc_done_init(void);
uint32_t lpc_finished(const struct lpc_context *like);
void lpc_done_remember(uint32_t now_ms, const struct lpc_context *context);
/* Lets the timer run out. Returns in how many milliseconds there is something to do again, at the earliest. */
uint32_t lpc_done_expire(uint32_t now_ms);
void lpc_done_forget(const struct lpc_address *source);

#endif
