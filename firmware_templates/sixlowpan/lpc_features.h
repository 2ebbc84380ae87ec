/* What is known of a new datagram before it gets memory, as numbers for a ranking model: see lpc_features.c. */
#ifndef TINYC_LPC_FEATURES_H
#define TINYC_LPC_FEATURES_H

#include "lpc_contexts.h"

#define LPC_FEATURES 12u
/* From here on a newcomer that cannot prove its address is a suspect: it takes the place of none that ranks better by
 * more than the margin. */
#define LPC_RANK_SUSPECT 128u
#define LPC_RANK_MARGIN 96u

#if LPC_RANK

/* The model, generated: 0 for what looks honest, up to 255. Each feature is from 0 to 127. */
uint8_t lpc_rank(const int8_t features[LPC_FEATURES]);

void lpc_features_init(void);
/* The frame that is being judged. */
void lpc_features_frame(const struct lpc_meta *meta);
/* Sets rank and level of a context that is to be opened. */
void lpc_features_rank(uint32_t now_ms, struct lpc_context *like);
/* The datagram is complete, and its success is in the score. */
void lpc_features_learn(uint32_t now_ms, const struct lpc_context *context);

#else

static inline void lpc_features_init(void) {}
static inline void lpc_features_frame(const struct lpc_meta *meta) {
    (void)meta;
}
static inline void lpc_features_rank(uint32_t now_ms, struct lpc_context *like) {
    (void)now_ms;
    (void)like;
}
static inline void lpc_features_learn(uint32_t now_ms, const struct lpc_context *context) {
    (void)now_ms;
    (void)context;
}

#endif
#endif
