/*
 * The firmware's protocol on this machine: the serial port is standard input and output, the model is a stand-in
 * that tells what is done to it in lines beginning with `!`, as log text between the frames.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio.h"
#ifdef FLASH_SIMULATED
#include "flash_sim.h"
#endif
#include "hal.h"
#include "model.h"
#include "smp.h"
#include "smp_frame.h"
#include "tokenizer.h"

/* What the linker script lays out: no RAM is free. */
const uint8_t linker_ram_end[1];
extern const uint8_t linker_ram_limit[1] __attribute__((alias("linker_ram_end")));

const uint8_t fake_digest[32] = {0xD1u, 0x6Eu, 0x57u};

static uint32_t arena_words[FAKE_ARENA_SIZE / 4u];
static uint32_t cycles, samples_seen;
static int32_t samples_sum;

uint8_t *fake_arena(void) {
    return (uint8_t *)arena_words;
}

void fake_run_layer(uint32_t layer) {
    printf("!layer %" PRIu32 "\n", layer);
    cycles += layer * 1000u;
}

void fake_invoke(void) {
    printf("!invoke\n");
    for (uint32_t i = 0; i < FAKE_OUTPUT_0_SIZE; i++) {
        fake_arena()[FAKE_OUTPUT_0_OFFSET + i] = (uint8_t)(fake_arena()[FAKE_INPUT_0_OFFSET + i] + 1u);
    }
    cycles += 70000u;
}

void fake_audio_reset(void) {
    printf("!audio reset\n");
    samples_seen = 0u;
    samples_sum = 0;
}

uint32_t fake_audio_push(const int16_t *samples, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        samples_sum += samples[i]; /* the sanitizer sees whether they are aligned */
    }
    samples_seen += count;
    printf("!audio %" PRIu32 " sum %" PRId32 "\n", samples_seen, samples_sum);
    return samples_seen / 10u;
}

int32_t tinyc_tokenize(const uint8_t *text, uint32_t bytes, int16_t *ids, int32_t capacity) {
    int32_t count = 0;
    for (; count < capacity && (uint32_t)count < bytes; count++) {
        ids[count] = text[count];
    }
    printf("!text %" PRIu32 "\n", bytes);
    return count;
}

void hal_init(void) {
#ifdef FLASH_SIMULATED
    flash_sim_reset(1u);
#endif
}

uint8_t hal_uart_read_byte(void) {
    fflush(stdout); /* whoever waits for the answer */
    const int byte = getchar();
    if (byte == EOF) {
        exit(0);
    }
    return (uint8_t)byte;
}

void hal_uart_write(const uint8_t *data, uint32_t size) {
    fwrite(data, 1u, size, stdout);
}

uint32_t hal_cycles(void) {
    return cycles;
}

void hal_device_id(uint8_t id[8]) {
    memcpy(id, "\1\2\3\4\5\6\7\10", 8u);
}

void hal_reset(void) {
    printf("!reset\n");
}
