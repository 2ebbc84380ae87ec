/* A sparse head on this machine: records from stdin, answers on stdout.
 *
 * A record is one byte of command and its data. 's': a latent; answers best class (uint32), surprise (float)
 * and scores. 'u': a latent and a label (uint32); answers the state. 'l': a state; answers whether it is valid
 * (uint32). */
#include <stdio.h>
#include <string.h>

#include "learn_head.h"

static struct learn_head head;
static int8_t latent[LEARN_LATENT];
static float scores[LEARN_CAPACITY];

static int take(void *data, size_t size) { return fread(data, 1, size, stdin) == size; }

int main(void) {
    head = learn_factory;
    for (int command = getchar(); command != EOF; command = getchar()) {
        if (command == 'l') {
            if (!take(&head, sizeof head)) return 2;
            const uint32_t valid = learn_head_valid(&head);
            fwrite(&valid, 1, sizeof valid, stdout);
            continue;
        }
        if (!take(latent, sizeof latent)) return 2;
        if (command == 's') {
            const uint32_t best = learn_head_scores(&head, latent, scores);
            const float surprise = learn_head_surprise(&head, latent, scores);
            fwrite(&best, 1, sizeof best, stdout);
            fwrite(&surprise, 1, sizeof surprise, stdout);
            fwrite(scores, 1, sizeof scores, stdout);
        } else {
            uint32_t label;
            if (!take(&label, sizeof label)) return 2;
            learn_head_update(&head, latent, label);
            fwrite(&head, 1, sizeof head, stdout);
        }
    }
    return 0;
}
