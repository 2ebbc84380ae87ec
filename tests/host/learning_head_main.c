/* One head behind a pipe: a letter and its operands in, an answer out. tests/support/learning_heads.py. */
#include <stdio.h>

#include "learn_head.h"

static struct learn_head head;
static int8_t latent[LEARN_LATENT];
static float scores[LEARN_CAPACITY];
#if LEARN_REGRESSION
static float target[LEARN_CAPACITY];
#endif

static int take(void *to, size_t size) { return fread(to, 1, size, stdin) == size; }
static void give(const void *from, size_t size) { fwrite(from, 1, size, stdout); }

static int answer(int letter) {
    switch (letter) {
    case 'S': {
        if (!take(latent, sizeof latent)) return 1;
        const uint32_t best = learn_head_scores(&head, latent, scores);
        const float surprise = learn_head_surprise(&head, latent, scores);
        give(scores, sizeof scores);
        give(&best, sizeof best);
        give(&surprise, sizeof surprise);
        return 0;
    }
#if LEARN_REGRESSION
    case 'V':
        if (!take(latent, sizeof latent) || !take(target, sizeof target)) return 1;
        learn_head_update_values(&head, latent, target);
        return 0;
    case 'E': {
        if (!take(scores, sizeof scores) || !take(target, sizeof target)) return 1;
        const float error = learn_head_error(scores, target);
        give(&error, sizeof error);
        return 0;
    }
#else
    case 'U': {
        uint32_t label;
        if (!take(latent, sizeof latent) || !take(&label, sizeof label)) return 1;
        learn_head_update(&head, latent, label);
        return 0;
    }
#endif
#if LEARN_NORMALISE
    case 'N':
        if (!take(latent, sizeof latent)) return 1;
        learn_head_normalise(&head, latent);
        return 0;
#endif
    case 'D': give(&head, sizeof head); return 0;
    case 'L': return !take(&head, sizeof head);
    case 'C': {
        const uint8_t valid = (uint8_t)learn_head_valid(&head);
        give(&valid, 1);
        return 0;
    }
    default: return 1;
    }
}

int main(void) {
    head = learn_factory;
    for (int letter = getchar(); letter != EOF; letter = getchar()) {
        if (answer(letter)) return 1;
        fflush(stdout);
    }
    return 0;
}
