/* Linear regression by normalised least mean squares (Nagumo and Noda 1967): of values, or of the input of an
 * autoencoder, whose last layer this is. The C twin of tinyc/learning/heads/linear.py. */
#include "learn_head.h"
#include "learn_latent.h"
#include "learn_math.h"
#include "learn_tables.h"

uint32_t learn_head_scores(const struct learn_head *head, const int8_t *latent, float *scores) {
    float z[LEARN_LATENT];
    (void)learn_standardise(head, latent, z);
    learn_dots(head->weights, LEARN_CAPACITY, z, LEARN_LATENT, scores);
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) scores[c] = scores[c] + head->biases[c];
    return learn_best(scores, LEARN_CAPACITY);
}

float learn_head_surprise(const struct learn_head *head, const int8_t *latent, const float *scores) {
    float z[LEARN_LATENT];
    (void)scores;
    return learn_standardise(head, latent, z) * LEARN_SURPRISE;
}

void learn_head_update_values(struct learn_head *head, const int8_t *latent, const float *target) {
    float z[LEARN_LATENT];
    const float square = learn_standardise(head, latent, z);
    const float step = LEARN_RATE / (square + 1.0f);
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        float *const row = head->weights + c * LEARN_LATENT;
        float y;
        learn_dots(row, 1, z, LEARN_LATENT, &y);
        y = y + head->biases[c];
        const float delta = (target[c] - y) * step;
        learn_add(row, z, delta);
        head->biases[c] = head->biases[c] + delta;
    }
}

float learn_head_error(const float *scores, const float *target) {
    float sum = 0.0f;
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        const float difference = scores[c] - target[c];
        sum = sum + difference * difference;
    }
    return sum * (1.0f / (float)LEARN_CAPACITY);
}

#if LEARN_NORMALISE
void learn_head_normalise(struct learn_head *head, const int8_t *latent) { learn_running(head, latent); }
#endif

uint32_t learn_head_valid(const struct learn_head *head) {
#if LEARN_NORMALISE
    if (!learn_running_valid(head)) return 0;
#endif
    return learn_all_finite(head->biases, LEARN_CAPACITY) &&
           learn_all_finite(head->weights, LEARN_CAPACITY * LEARN_LATENT);
}
