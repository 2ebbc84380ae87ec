/* The head whose state is trained tensors of the network itself. The C twin of tinyc/learning/sparse/head.py. */
#include "learn_head.h"
#include "learn_tables.h"
#include "sparse.h"

static float arena[LEARN_SPARSE_ARENA_WORDS];
static union sparse_word work[LEARN_SPARSE_WORK_WORDS];

uint32_t learn_head_scores(const struct learn_head *head, const int8_t *latent, float *scores) {
    const float *logits = arena + learn_sparse_step(LEARN_SPARSE_FORWARD - 1u)[SPARSE_GRADIENT];
    uint32_t best = 0;
    learn_sparse_forward(head, latent, arena, work, 0u);
    for (uint32_t i = 0; i < LEARN_CAPACITY; i++) {
        scores[i] = head->counts[i] != 0u ? logits[i] : LEARN_NO_SCORE;
        if (scores[i] > scores[best]) best = i;
    }
    return best;
}

/* One minus the largest probability, over its mean on factory data. */
float learn_head_surprise(const struct learn_head *head, const int8_t *latent, const float *scores) {
    float largest = scores[0], total = 0.0f;
    (void)head;
    (void)latent;
    for (uint32_t i = 1; i < LEARN_CAPACITY; i++) {
        if (scores[i] > largest) largest = scores[i];
    }
    for (uint32_t i = 0; i < LEARN_CAPACITY; i++) total = total + learn_exp(scores[i] - largest);
    return (1.0f - 1.0f / total) * learn_surprise[0];
}

uint32_t learn_head_valid(const struct learn_head *head) {
    uint32_t known = 0;
    for (uint32_t i = 0; i < LEARN_CAPACITY; i++) known |= head->counts[i];
    for (uint32_t i = 0; i < sizeof head->biases / sizeof head->biases[0]; i++) {
        if (head->biases[i] < -SPARSE_LARGEST_BIAS || head->biases[i] > SPARSE_LARGEST_BIAS) return 0u;
    }
    for (uint32_t i = 0; i < sizeof head->weights; i++) {
        if (head->weights[i] < -127) return 0u;
    }
#if LEARN_SPARSE_GAINS
    for (uint32_t i = 0; i < LEARN_SPARSE_GAINS; i++) {
        if (!(head->gains[i] >= -SPARSE_LARGEST_GAIN && head->gains[i] <= SPARSE_LARGEST_GAIN)) return 0u;
    }
#endif
    return known != 0u;
}

void learn_head_update(struct learn_head *head, const int8_t *latent, uint32_t label) {
    if (label >= LEARN_CAPACITY) return;
    if (head->counts[label] != UINT32_MAX) head->counts[label]++;
    learn_sparse_forward(head, latent, arena, work, 1u);
    learn_sparse_backward(head, latent, arena, work, label);
}
