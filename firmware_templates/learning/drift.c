/* Sums of the surprise: see drift.h. */
#include "drift.h"

#include "learn_config.h"
#include "learn_math.h"

void drift_restart(struct drift *drift) {
    drift->high = 0.0f;
    drift->low = 0.0f;
    drift->state = DRIFT_STABLE;
    drift->calm = 0u;
}

/* Never below 0, nor so far above the limit that a sum takes long to come down. */
static float bounded(float sum) {
    const float most = 2.0f * LEARN_DRIFT_LIMIT;
    return sum > most ? most : sum < 0.0f ? 0.0f : sum;
}

uint32_t drift_observe(struct drift *drift, float surprise) {
    float z = LEARN_DRIFT_CLIP;
    if (learn_is_finite(surprise)) {
        z = surprise - LEARN_DRIFT_MEAN;
        z = z * LEARN_DRIFT_SCALE;
        z = z > LEARN_DRIFT_CLIP ? LEARN_DRIFT_CLIP : z < -LEARN_DRIFT_CLIP ? -LEARN_DRIFT_CLIP : z;
    }
    float high = drift->high + z;
    high = high - LEARN_DRIFT_SLACK;
    float low = drift->low - z;
    low = low - LEARN_DRIFT_SLACK;
    drift->high = bounded(high);
    drift->low = bounded(low);
    const float top = drift->high > drift->low ? drift->high : drift->low;
    if (top > LEARN_DRIFT_LIMIT) {
        drift->alarms += drift->state != DRIFT_ALARM ? 1u : 0u;
        drift->state = DRIFT_ALARM;
        drift->calm = 0u;
    } else if (top > LEARN_DRIFT_WARNING) {
        drift->state = drift->state == DRIFT_STABLE ? DRIFT_WARNING : drift->state;
        drift->calm = 0u;
    } else if (drift->state != DRIFT_STABLE) {
        drift->calm++;
        if (drift->calm >= LEARN_DRIFT_CALM) {
            drift->state = DRIFT_STABLE;
            drift->calm = 0u;
        }
    }
    return drift->state;
}
