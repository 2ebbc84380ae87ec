/*
 * Twelve numbers of a new datagram, for the model that ranks it: who sends it, how it fits what that neighbour does,
 * and how busy the air is. The twin is tinyc/sixlowpan/features.py.
 *
 * A neighbour's habits are learned from complete datagrams only: what a first fragment alone could teach, a flood of
 * them with a victim's address would teach. And one datagram moves the level of the radio by half a decibel at most,
 * so that whoever completes some with a borrowed address moves little.
 */
#include "lpc_features.h"

#if LPC_RANK

#include <string.h>

#include "lpc_score.h"

#define MOST 127u
#define TICK_BITS 4u /* habits know the time in 16 ms, modulo 2^20 ms */
#define BUCKET_BITS 9u
#define BUCKETS ((1u << (32u - BUCKET_BITS)) - 1u)

/* Of the neighbour with the same place in the table of scores; without meaning until its first datagram is complete. */
struct habit {
    uint16_t tag;
    uint16_t size; /* mean, in sixteenths of a byte */
    uint16_t at;
    uint8_t level; /* median, in half decibels below 0 dBm */
    uint8_t dsn;   /* of the frame that completed its last datagram */
};

/* New datagrams of the last 512 to 1024 ms: in this bucket of 512 ms, and in the one before. */
struct recent {
    uint32_t bucket;
    uint8_t all[2], unproven[2];
};

LPC_STATE static struct habit habits[LPC_NEIGHBOURS];
LPC_STATE static struct recent recent;
LPC_STATE static struct lpc_meta frame;

_Static_assert(sizeof habits + sizeof recent + sizeof frame == LPC_FEATURES_BYTES, "lpc_config.h");

void lpc_features_init(void) {
    memset(habits, 0, sizeof habits);
    memset(&recent, 0, sizeof recent);
    memset(&frame, 0, sizeof frame);
}

void lpc_features_frame(const struct lpc_meta *meta) {
    frame = *meta;
}

static int8_t limited(uint32_t value) {
    return (int8_t)(value < MOST ? value : MOST);
}

static uint32_t distance(uint32_t one, uint32_t other) {
    return one > other ? one - other : other - one;
}

static uint8_t level(void) {
    const int32_t below = -2 * (int32_t)frame.rssi;
    return (uint8_t)(below < 0 ? 0 : below > 255 ? 255 : below);
}

/* Eight times the logarithm to base 2, linear between the powers: 0 to 127 for 16 bits. */
static uint32_t logarithm(uint32_t value) {
    uint32_t whole = 0u;
    if (value == 0u) {
        return 0u;
    }
    for (uint32_t by = 8u; by != 0u; by >>= 1) {
        if (value >> (whole + by) != 0u) {
            whole += by;
        }
    }
    return 8u * whole + (value * 8u >> whole) - 8u;
}

static void increment(uint8_t *count, uint32_t by) {
    *count = (uint8_t)(*count == 255u ? 255u : *count + by);
}

static void count(uint32_t now_ms, uint32_t unproven) {
    const uint32_t bucket = now_ms >> BUCKET_BITS, gone = (bucket - recent.bucket) & BUCKETS;
    if (gone != 0u) {
        recent.all[1] = gone == 1u ? recent.all[0] : 0u;
        recent.unproven[1] = gone == 1u ? recent.unproven[0] : 0u;
        recent.all[0] = 0u;
        recent.unproven[0] = 0u;
        recent.bucket = bucket;
    }
    increment(recent.all, 1u);
    increment(recent.unproven, unproven);
}

void lpc_features_rank(uint32_t now_ms, struct lpc_context *like) {
    const struct lpc_standing who = lpc_score_standing(&like->source, like->mode == LPC_KEYED);
    int8_t features[LPC_FEATURES];
    like->level = level();
    count(now_ms, who.ok == 0u);
    memset(features, 0, sizeof features);
    features[5] = (int8_t)MOST;
    if (who.ok != 0u) {
        const struct habit *const it = habits + who.place;
        const uint32_t tags = (uint16_t)(like->tag - it->tag), frames = (uint8_t)(frame.dsn - it->dsn);
        features[0] = (int8_t)MOST;
        features[2] = (int8_t)(tags >= 1u && tags <= 7u ? MOST >> (tags - 1u) : 0u);
        features[3] = (int8_t)(frames >= 1u && frames <= 16u ? MOST + 8u - 8u * frames : 0u);
        features[4] = limited(4u * distance(like->level, it->level));
        /* What is older than the habits' clock is at least as old as the neighbour's last sign of life. */
        if (now_ms - who.seen < 1u << (16u + TICK_BITS)) {
            features[5] = (int8_t)logarithm((uint16_t)((now_ms >> TICK_BITS) - it->at));
        }
        features[8] = limited(distance((uint32_t)like->size * 16u, it->size) >> 4);
    }
    features[1] = (int8_t)(who.score >> 1);
    features[6] = (int8_t)(lpc_contexts_open() * MOST / LPC_CONTEXTS);
    features[7] = (int8_t)((uint32_t)like->size * 25u >> 8);
    features[9] = limited((uint32_t)recent.all[0] + recent.all[1]);
    features[10] = (int8_t)(((uint32_t)recent.unproven[0] + recent.unproven[1]) * MOST /
                            ((uint32_t)recent.all[0] + recent.all[1]));
    features[11] = limited(8u * who.streak);
    like->rank = lpc_rank(features);
}

void lpc_features_learn(uint32_t now_ms, const struct lpc_context *context) {
    const struct lpc_standing who = lpc_score_standing(&context->source, context->mode == LPC_KEYED);
    if (who.place == LPC_NEIGHBOURS) {
        return;
    }
    struct habit *const it = habits + who.place;
    if (who.ok == 1u) {
        it->level = context->level;
        it->size = (uint16_t)(context->size * 16u);
    } else {
        it->level = (uint8_t)(it->level + (context->level > it->level) - (context->level < it->level));
        it->size = (uint16_t)(it->size + ((int32_t)context->size * 16 - it->size) / 8);
    }
    it->tag = context->tag;
    it->dsn = frame.dsn;
    it->at = (uint16_t)(now_ms >> TICK_BITS);
}

#endif
