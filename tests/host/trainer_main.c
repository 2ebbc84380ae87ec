/*
 * The trainer on this machine: requests from stdin, answers to stdout. Words are little endian.
 *   'S' offset size bytes        writes the start; answers the result
 *   'B' 6 words                  begins a round; answers the result
 *   'T' position size bytes      takes samples; answers the result
 *   'P'                          answers the parameters
 *   'I'                          answers state, samples, position, loss
 *   'E' layers keep              encodes; answers result, size, bytes
 */
#include <stdio.h>
#include <string.h>

#include "trainer.h"

static uint8_t buffer[1 << 20];

static uint32_t word(void) {
    uint32_t value = 0;
    return fread(&value, 4, 1, stdin) == 1 ? value : 0u;
}

static void put(uint32_t value) {
    fwrite(&value, 4, 1, stdout);
}

static uint32_t bytes(void) {
    const uint32_t size = word();
    return size <= sizeof buffer && fread(buffer, 1, size, stdin) == size ? size : 0u;
}

int main(void) {
    for (int kind = getchar(); kind != EOF; kind = getchar()) {
        if (kind == 'S') {
            const uint32_t offset = word(), size = bytes();
            put(trainer_write(offset, buffer, size));
        } else if (kind == 'B') {
            struct trainer_round asked;
            const uint32_t rate = (asked.round = word(), word());
            memcpy(&asked.rate, &rate, 4);
            asked.head_samples = word();
            asked.head = word();
            asked.start_bytes = word();
            asked.start_crc = word();
            put(trainer_begin(&asked));
        } else if (kind == 'T') {
            const uint32_t position = word(), size = bytes();
            put(trainer_take(position, buffer, size));
        } else if (kind == 'P') {
            fwrite(trainer_parameter_bytes(), 1, TRAINER_PARAMETER_BYTES, stdout);
        } else if (kind == 'I') {
            const struct trainer_stats *const stats = trainer_stats();
            put(stats->state);
            put(stats->samples);
            put(stats->position);
            fwrite(&stats->loss, 4, 1, stdout);
#if TRAINER_KEEPS_START
        } else if (kind == 'E') {
            const uint32_t layers = word(), keep = word();
            uint32_t size;
            put(trainer_encode(layers, keep));
            const uint8_t *const encoded = trainer_encoded(&size);
            put(size);
            fwrite(encoded, 1, size, stdout);
#endif
        }
    }
    return 0;
}
