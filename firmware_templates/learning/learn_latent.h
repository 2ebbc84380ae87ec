/* The standardised latent of the heads that learn by gradient steps. The C twin of
 * tinyc/learning/heads/standard.py. */
#ifndef LEARN_LATENT_H
#define LEARN_LATENT_H

#include "learn_head.h"
#include "learn_math.h"
#include "learn_tables.h"

/* Element j of the latent, where it pays after a curve that evens out large and small values. */
LEARN_INLINE float learn_element(const int8_t *latent, uint32_t j) {
#if LEARN_CURVE
    return (float)learn_curve[latent[j] + 128];
#else
    return (float)latent[j];
#endif
}

/* z = (latent - mean) / deviation; returns the sum of its squares. An element that never varied is 0. */
LEARN_INLINE float learn_standardise(const struct learn_head *head, const int8_t *latent, float *z) {
    float square = 0.0f;
    (void)head;
    for (uint32_t j = 0; j < LEARN_LATENT; j++) {
#if LEARN_NORMALISE
        const float difference = learn_element(latent, j) - head->mean[j];
        float value = 0.0f;
        if (head->variance[j] > LEARN_LEAST_VARIANCE) value = difference / learn_sqrt(head->variance[j]);
#else
        const float difference = learn_element(latent, j) - learn_mean[j];
        const float value = difference * learn_inverse[j];
#endif
        z[j] = value;
        square = square + value * value;
    }
    return square;
}

#if LEARN_NORMALISE
/* Running mean and variance (Welford 1962) over at most LEARN_NORMALISE samples: older ones fade. */
LEARN_INLINE void learn_running(struct learn_head *head, const int8_t *latent) {
    uint32_t seen = head->seen[0];
    if (seen < LEARN_NORMALISE) seen++;
    head->seen[0] = seen;
    const float rate = 1.0f / (float)seen;
    for (uint32_t j = 0; j < LEARN_LATENT; j++) {
        const float before = learn_element(latent, j) - head->mean[j];
        head->mean[j] = head->mean[j] + before * rate;
        const float after = learn_element(latent, j) - head->mean[j];
        const float change = before * after - head->variance[j];
        head->variance[j] = head->variance[j] + change * rate;
    }
}

LEARN_INLINE uint32_t learn_running_valid(const struct learn_head *head) {
    return head->seen[0] >= 1u && head->seen[0] <= LEARN_NORMALISE &&
           learn_all_finite(head->mean, LEARN_LATENT) && learn_all_finite(head->variance, LEARN_LATENT);
}
#endif

/* row += step * z */
LEARN_INLINE void learn_add(float *row, const float *z, float step) {
    const uint32_t whole = LEARN_LATENT & ~3u;
    uint32_t j = 0;
    for (; j < whole; j += 4u) {
        row[j] = row[j] + z[j] * step;
        row[j + 1u] = row[j + 1u] + z[j + 1u] * step;
        row[j + 2u] = row[j + 2u] + z[j + 2u] * step;
        row[j + 3u] = row[j + 3u] + z[j + 3u] * step;
    }
    for (; j < LEARN_LATENT; j++) row[j] = row[j] + z[j] * step;
}

#endif
