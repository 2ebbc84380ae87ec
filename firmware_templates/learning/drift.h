/*
 * Drift without labels: two one-sided sums (CUSUM, Page 1954) of the head's surprise, standardised by what the
 * factory's data gave. Its twin, and where the limits come from, is tinyc/learning/drift.py.
 *
 * learn_config.h gives, all as float but the last:
 *   LEARN_DRIFT_MEAN, LEARN_DRIFT_SCALE   z = (surprise - mean) * scale, clipped to +-LEARN_DRIFT_CLIP
 *   LEARN_DRIFT_SLACK                     what z may be off without a sum growing
 *   LEARN_DRIFT_WARNING, LEARN_DRIFT_LIMIT
 *   LEARN_DRIFT_CALM                      observations below the warning that end an alarm
 */
#ifndef TINYC_DRIFT_H
#define TINYC_DRIFT_H

#include <stdint.h>

enum drift_state {
    DRIFT_STABLE = 0,
    DRIFT_WARNING = 1,
    DRIFT_ALARM = 2,
};

struct drift {
    float high; /* sum for surprises above the mean */
    float low;  /* and below */
    uint32_t state;
    uint32_t calm;
    uint32_t alarms; /* since the power came */
};

/* Sums from 0 on; the count of alarms stays. */
void drift_restart(struct drift *drift);

/* Returns the state. A surprise that is not finite counts as the largest. */
uint32_t drift_observe(struct drift *drift, float surprise);

#endif
