/* The head: what learns. Its twin in Python is tinyc/learning/heads. One head per firmware. */
#ifndef LEARN_HEAD_H
#define LEARN_HEAD_H

#include <stdint.h>

#include "learn_config.h"
#include "learn_state.h"

/* What a class without a sample scores: -FLT_MAX. */
#define LEARN_NO_SCORE (-3.402823466e+38f)

/* Scores of all classes into scores[LEARN_CAPACITY]; returns the best class, the lowest of several. */
uint32_t learn_head_scores(const struct learn_head *head, const int8_t *latent, float *scores);

/* After learn_head_scores with the same arguments: how strange the latent is, for drift. On factory data
 * about 1 on average. */
float learn_head_surprise(const struct learn_head *head, const int8_t *latent, const float *scores);

/* 1 if all numbers are finite and all counts in range: a state from outside may be used. */
uint32_t learn_head_valid(const struct learn_head *head);

#if LEARN_REGRESSION
/* One sample with its values, target[LEARN_CAPACITY]. */
void learn_head_update_values(struct learn_head *head, const int8_t *latent, const float *target);

/* Mean squared difference of scores and target. For an autoencoder the anomaly score. */
float learn_head_error(const float *scores, const float *target);
#else
/* One labelled sample. A label without samples so far becomes a class. A label that is not below
 * LEARN_CAPACITY changes nothing. */
void learn_head_update(struct learn_head *head, const int8_t *latent, uint32_t label);
#endif

#if LEARN_NORMALISE
/* One sample without a label into the running mean and variance. Only the learner calls it. */
void learn_head_normalise(struct learn_head *head, const int8_t *latent);
#endif

#endif
