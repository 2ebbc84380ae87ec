/* Nearest class mean, by cosine or Euclidean distance (Mensink et al. 2013). The C twin of
 * tinyc/learning/heads/ncm.py. */
#include "learn_head.h"
#include "learn_math.h"

LEARN_INLINE float dequantize(const int8_t *latent, float *x) {
    float square = 0.0f;
    for (uint32_t j = 0; j < LEARN_LATENT; j++) {
        x[j] = (float)(latent[j] - (int32_t)LEARN_ZERO_POINT);
        square = square + x[j] * x[j];
    }
    return square;
}

uint32_t learn_head_scores(const struct learn_head *head, const int8_t *latent, float *scores) {
    float x[LEARN_LATENT];
    const float square = dequantize(latent, x);
    (void)square;
    learn_dots(head->means, LEARN_CAPACITY, x, LEARN_LATENT, scores);
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        if (head->counts[c] == 0u) {
            scores[c] = LEARN_NO_SCORE;
            continue;
        }
#if LEARN_COSINE
        const float length = learn_sqrt(head->squares[c] * square);
        scores[c] = length > 0.0f ? scores[c] / length : 0.0f;
#else
        scores[c] = scores[c] - head->squares[c] * 0.5f;
#endif
    }
    return learn_best(scores, LEARN_CAPACITY);
}

float learn_head_surprise(const struct learn_head *head, const int8_t *latent, const float *scores) {
    const float nearest = scores[learn_best(scores, LEARN_CAPACITY)];
    (void)head;
#if LEARN_COSINE
    (void)latent;
    return (1.0f - nearest) * LEARN_SURPRISE;
#else
    float x[LEARN_LATENT];
    const float square = dequantize(latent, x);
    return (square - (nearest + nearest)) * LEARN_SURPRISE;
#endif
}

void learn_head_update(struct learn_head *head, const int8_t *latent, uint32_t label) {
    if (label >= LEARN_CAPACITY) return;
    float *const mean = head->means + label * LEARN_LATENT;
    float square = 0.0f;
    if (head->counts[label] == 0u) {
        for (uint32_t j = 0; j < LEARN_LATENT; j++) mean[j] = 0.0f;
    }
    /* From LEARN_FORGET samples on the mean forgets: old samples fade. */
    if (head->counts[label] < LEARN_FORGET) head->counts[label]++;
    const float rate = 1.0f / (float)head->counts[label];
    for (uint32_t j = 0; j < LEARN_LATENT; j++) {
        const float difference = (float)(latent[j] - (int32_t)LEARN_ZERO_POINT) - mean[j];
        const float value = mean[j] + difference * rate;
        mean[j] = value;
        square = square + value * value;
    }
    head->squares[label] = square;
}

uint32_t learn_head_valid(const struct learn_head *head) {
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        if (head->counts[c] > LEARN_FORGET) return 0;
    }
    return learn_all_finite(head->squares, LEARN_CAPACITY) &&
           learn_all_finite(head->means, LEARN_CAPACITY * LEARN_LATENT);
}
