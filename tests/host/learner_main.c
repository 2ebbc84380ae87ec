/*
 * The learner on simulated flash, told by standard input what happens: a letter and its operands. What it answers
 * goes to standard output. Python plays the same to the twin and compares.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_sim.h"
#include "learner.h"

static void take(void *to, size_t size) {
    if (fread(to, 1u, size, stdin) != size) {
        exit(3);
    }
}

static uint32_t take_word(void) {
    uint32_t word;
    take(&word, sizeof word);
    return word;
}

static void give(const void *from, size_t size) {
    (void)fwrite(from, 1u, size, stdout);
}

static void give_word(uint32_t word) {
    give(&word, sizeof word);
}

static void observe(void) {
    int8_t latent[LEARN_LATENT];
    take(latent, sizeof latent);
    give(learner_observe(latent), sizeof(struct learner_answer));
    give_word(learner_shadow_label());
    memset(latent, 0, sizeof latent); /* the learner has its own copy */
}

static void label(void) {
#if LEARN_REGRESSION
    float target[LEARN_CAPACITY];
    take(target, sizeof target);
    give_word(learner_values(target));
#else
    give_word(learner_label(take_word()));
#endif
}

static void name_class(void) {
    static char name[256];
    uint32_t result;
    const uint32_t length = take_word();
    take(name, length);
    give_word(learner_name_class(name, length, &result));
    give_word(result);
}

static void class_name(void) {
    const char *const name = learner_class_name(take_word());
    give_word(name != 0);
    if (name != 0) {
        give(name, LEARN_NAME_BYTES);
    }
}

static void scores(void) {
    float values[LEARN_CAPACITY];
    const uint32_t result = learner_scores(take_word(), values);
    give_word(result);
    if (result == LEARNER_DONE) {
        give(values, sizeof values);
    }
}

static void send_head(void) {
    static uint8_t bytes[LEARNER_EXPORT_BYTES + 1u];
    uint32_t at = 0u, part = 1u;
    while (part != 0u) {
        part = learner_export(at, bytes, 100u);
        give(bytes, part);
        at += part;
    }
}

static void import_write(void) {
    static uint8_t bytes[1u << 16];
    const uint32_t offset = take_word(), size = take_word();
    take(bytes, size);
    give_word(learner_import_write(offset, bytes, size));
}

static void import_end(void) {
    const uint32_t crc = take_word();
    uint32_t body[2];
    take(body, sizeof body);
    give_word(learner_import_end(crc, body));
}

static void tell(void) {
    struct learner_stats stats;
    learner_stats(&stats);
    give(&stats, sizeof stats);
}

int main(void) {
    int event;
    flash_sim_reset(1u);
    learner_init();
    while ((event = getchar()) != EOF) {
        switch (event) {
        case 'o': observe(); break;
        case 'l': label(); break;
        case 'n': name_class(); break;
        case 'c': class_name(); break;
        case 's': scores(); break;
        case 'p': give_word(learner_promote()); break;
        case 'r': give_word(learner_revert(take_word())); break;
        case 'R': give_word(learner_reset()); break;
        case 'e': send_head(); break;
        case 'b': give_word(learner_import_begin(take_word())); break;
        case 'w': import_write(); break;
        case 'E': import_end(); break;
        case 't': tell(); break;
        case 'f': give(flash_sim.bytes, sizeof flash_sim.bytes); break;
        case 'i': learner_init(); break;
        default: return 2;
        }
    }
    return 0;
}
