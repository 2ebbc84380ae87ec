/* What neighbours have earned: see lpc_score.c. */
#ifndef TINYC_LPC_SCORE_H
#define TINYC_LPC_SCORE_H

#include "lpc.h"
#include "lpc_words.h"

/* Nodes of one vendor differ in the last bytes. */
static inline uint32_t lpc_same_address(const struct lpc_address *one, const struct lpc_address *other) {
    return lpc_word_at(one->bytes + 4) == lpc_word_at(other->bytes + 4) &&
           lpc_word_at(one->bytes) == lpc_word_at(other->bytes) && one->kind == other->kind;
}

void lpc_score_init(void);
/* A datagram of it is complete; it stopped in the middle of one; it broke one. `went_on`: there was something behind
 * the first fragment, which is what losses look like; then it weighs little. */
void lpc_score_success(uint32_t now_ms, const struct lpc_address *source, uint32_t keyed);
void lpc_score_soft(uint32_t now_ms, const struct lpc_address *source, uint32_t keyed, uint32_t went_on);
void lpc_score_hard(uint32_t now_ms, const struct lpc_address *source, uint32_t keyed);
void lpc_score_decay(uint32_t now_ms);
/* 1 if it has ever completed a datagram; if it is blocked. */
uint32_t lpc_score_proven(const struct lpc_address *source, uint32_t keyed);
/* What that makes a datagram of it worth, by the place of its entry among the neighbours; LPC_NEIGHBOURS: it has none. */
uint8_t lpc_score_place(const struct lpc_address *source, uint32_t keyed);
uint32_t lpc_score_proven_at(uint8_t place);
int32_t lpc_score_worth(uint8_t place);
uint32_t lpc_score_blocked(const struct lpc_address *source, uint32_t keyed);
/* All that is known of it; a place of LPC_NEIGHBOURS where it has no entry. */
struct lpc_standing {
    uint32_t seen;
    uint8_t place, score, ok, streak;
};
struct lpc_standing lpc_score_standing(const struct lpc_address *source, uint32_t keyed);

#endif
