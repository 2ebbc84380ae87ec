/* Softmax regression by normalised gradient steps. The C twin of tinyc/learning/heads/sgd.py.
 *
 * Latents are standardised by factory statistics, as TinyOL does (Ren, Anicic and Runkler 2021, section III);
 * a step is divided by 1 + |z|^2 (normalised least mean squares), so that no learning rate up to 1 overshoots.
 * The row of a new class starts as the scaled mean of its first samples (Qi, Brown and Lowe 2018, "Low-shot
 * learning with imprinted weights"). Samples to rehearse come from flash and from a class-balanced reservoir
 * (Vitter 1985, algorithm R) in RAM. */
#include "learn_head.h"
#include "learn_latent.h"
#include "learn_math.h"
#include "learn_tables.h"

LEARN_INLINE uint32_t scores_of(const struct learn_head *head, const float *z, float *scores) {
    learn_dots(head->weights, LEARN_CAPACITY, z, LEARN_LATENT, scores);
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        scores[c] = head->counts[c] == 0u ? LEARN_NO_SCORE : scores[c] + head->biases[c];
    }
    return learn_best(scores, LEARN_CAPACITY);
}

uint32_t learn_head_scores(const struct learn_head *head, const int8_t *latent, float *scores) {
    float z[LEARN_LATENT];
    (void)learn_standardise(head, latent, z);
    return scores_of(head, z, scores);
}

float learn_head_surprise(const struct learn_head *head, const int8_t *latent, const float *scores) {
    float z[LEARN_LATENT];
    (void)scores;
    return learn_standardise(head, latent, z) * LEARN_SURPRISE;
}

/* One step down the gradient of the cross-entropy. With LEARN_ONLY_MISTAKES, only if another class has a
 * higher score: steps for samples that the head knows already push all other classes away, and on a stream of
 * new classes the old ones are forgotten by nothing but that (the perceptron's rule, Rosenblatt 1958). */
static void descend(struct learn_head *head, const float *z, float square, uint32_t label) {
    float scores[LEARN_CAPACITY];
    const uint32_t best = scores_of(head, z, scores);
    const float highest = scores[best];
    if (LEARN_ONLY_MISTAKES && best == label) return;
    float sum = 0.0f;
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        if (head->counts[c] == 0u) continue;
        scores[c] = learn_exp(scores[c] - highest);
        sum = sum + scores[c];
    }
    const float step = LEARN_RATE / (square + 1.0f);
    const float share = 1.0f / sum;
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        if (head->counts[c] == 0u) continue;
        const float wanted = c == label ? 1.0f : 0.0f;
        const float delta = (wanted - scores[c] * share) * step;
        learn_add(head->weights + c * LEARN_LATENT, z, delta);
        head->biases[c] = head->biases[c] + delta;
    }
}

/* The row of a class with few samples: LEARN_NORM times the mean of z / |z|. */
static void imprint(struct learn_head *head, const float *z, float square, uint32_t label) {
    float *const row = head->weights + label * LEARN_LATENT;
    const float rate = 1.0f / (float)(head->counts[label] + 1u);
    const float length = learn_sqrt(square);
    const float scale = length > 0.0f ? LEARN_NORM / length : 0.0f;
    const float keep = head->counts[label] == 0u ? 0.0f : 1.0f - rate;
    if (keep == 0.0f) {
        for (uint32_t j = 0; j < LEARN_LATENT; j++) row[j] = 0.0f;
        head->biases[label] = 0.0f;
    }
    for (uint32_t j = 0; j < LEARN_LATENT; j++) row[j] = row[j] * keep;
    learn_add(row, z, scale * rate);
}

#if LEARN_REPLAY > 0 || LEARN_FACTORY_REPLAY > 0
static uint32_t generator = LEARN_SEED;
#if LEARN_REPLAY > 0
static int8_t reservoir[LEARN_CAPACITY * LEARN_REPLAY * LEARN_LATENT];
static uint32_t offered[LEARN_CAPACITY];

/* Each sample of a class so far has the same chance to be in the reservoir. */
static void keep_sample(const int8_t *latent, uint32_t label) {
    uint32_t at = offered[label];
    if (offered[label] < UINT32_MAX) offered[label]++;
    if (at >= LEARN_REPLAY) {
        generator = learn_random(generator);
        at = generator % offered[label];
        if (at >= LEARN_REPLAY) return;
    }
    memcpy(reservoir + (label * LEARN_REPLAY + at) * LEARN_LATENT, latent, LEARN_LATENT);
}
#endif

/* Samples of a class that can be rehearsed. */
static uint32_t available(const struct learn_head *head, uint32_t c) {
    uint32_t n = 0;
    if (head->counts[c] == 0u) return 0;
#if LEARN_FACTORY_REPLAY > 0
    if (c < LEARN_FACTORY_CLASSES) n += LEARN_FACTORY_REPLAY;
#endif
#if LEARN_REPLAY > 0
    n += offered[c] < LEARN_REPLAY ? offered[c] : LEARN_REPLAY;
#endif
    return n;
}

static const int8_t *stored(uint32_t c, uint32_t index) {
#if LEARN_FACTORY_REPLAY > 0
    if (c < LEARN_FACTORY_CLASSES) {
        if (index < LEARN_FACTORY_REPLAY) {
            return learn_factory_replay + (c * LEARN_FACTORY_REPLAY + index) * LEARN_LATENT;
        }
        index -= LEARN_FACTORY_REPLAY;
    }
#endif
#if LEARN_REPLAY > 0
    return reservoir + (c * LEARN_REPLAY + index) * LEARN_LATENT;
#else
    return learn_factory_replay;
#endif
}

/* Steps with stored samples: of a random class, a random one. */
static void rehearse(struct learn_head *head) {
    uint32_t classes = 0;
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) classes += available(head, c) > 0u;
    if (classes == 0u) return;
    for (uint32_t i = 0; i < LEARN_REPLAYS; i++) {
        float z[LEARN_LATENT];
        generator = learn_random(generator);
        uint32_t skip = generator % classes, c = 0;
        for (; c + 1u < LEARN_CAPACITY; c++) {
            if (available(head, c) == 0u) continue;
            if (skip == 0u) break;
            skip--;
        }
        generator = learn_random(generator);
        const float square = learn_standardise(head, stored(c, generator % available(head, c)), z);
        descend(head, z, square, c);
    }
}
#endif

void learn_head_update(struct learn_head *head, const int8_t *latent, uint32_t label) {
    if (label >= LEARN_CAPACITY) return;
    float z[LEARN_LATENT];
    const float square = learn_standardise(head, latent, z);
    if (head->counts[label] < LEARN_IMPRINT) {
        imprint(head, z, square, label);
        head->counts[label]++;
    } else {
        if (head->counts[label] < LEARN_MOST_COUNTED) head->counts[label]++;
        descend(head, z, square, label);
    }
#if LEARN_REPLAY > 0
    keep_sample(latent, label);
#endif
#if LEARN_REPLAY > 0 || LEARN_FACTORY_REPLAY > 0
    rehearse(head);
#endif
}

#if LEARN_NORMALISE
void learn_head_normalise(struct learn_head *head, const int8_t *latent) { learn_running(head, latent); }
#endif

uint32_t learn_head_valid(const struct learn_head *head) {
    for (uint32_t c = 0; c < LEARN_CAPACITY; c++) {
        if (head->counts[c] > LEARN_MOST_COUNTED) return 0;
    }
#if LEARN_NORMALISE
    if (!learn_running_valid(head)) return 0;
#endif
    return learn_all_finite(head->biases, LEARN_CAPACITY) &&
           learn_all_finite(head->weights, LEARN_CAPACITY * LEARN_LATENT);
}
