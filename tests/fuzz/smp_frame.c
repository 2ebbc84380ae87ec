/*
 * Any bytes for the firmware's SMP server, by libFuzzer. The first byte says what the others are: bytes of the
 * serial line, or a message that is framed here so that the fuzzer need not guess a CRC. What the server sends
 * is taken apart by a decoder of our own, and after everything it must understand a good request.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audio.h"
#include "cbor.h"
#include "hal.h"
#ifdef FLASH_SIMULATED
#include "flash_sim.h"
#include "learner.h"
#endif
#include "model.h"
#include "smp.h"
#include "smp_frame.h"
#include "smp_line.h"
#include "tokenizer.h"

const uint8_t linker_ram_end[1];
extern const uint8_t linker_ram_limit[1] __attribute__((alias("linker_ram_end")));
const uint8_t fake_digest[32] = {1u};

static uint32_t arena_words[FAKE_ARENA_SIZE / 4u];
static uint32_t resets;

uint8_t *fake_arena(void) {
    return (uint8_t *)arena_words;
}

void fake_run_layer(uint32_t layer) {
    REQUIRE(layer < FAKE_LAYER_COUNT);
}

void fake_invoke(void) {
}

void fake_audio_reset(void) {
}

uint32_t fake_audio_push(const int16_t *samples, uint32_t count) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += samples[i];
    }
    return (uint32_t)sum & 0xFFFFu;
}

int32_t tinyc_tokenize(const uint8_t *text, uint32_t bytes, int16_t *ids, int32_t capacity) {
    int32_t count = 0;
    for (; count < capacity && (uint32_t)count < bytes; count++) {
        ids[count] = text[count];
    }
    return count;
}

uint32_t hal_cycles(void) {
    return sent_bytes * 0x01234567u;
}

void hal_device_id(uint8_t id[8]) {
    memset(id, 0xA5, 8u);
}

void hal_reset(void) {
    resets++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t ping[] = {0x0A, 0, 0, 5, 0, 0, 9, 0, 0xA1, 0x61, 'd', 0x61, 'p'};
    static uint8_t message[SMP_MESSAGE_BYTES];
#ifdef FLASH_SIMULATED
    static uint32_t started;
    if (!started) {
        started = 1u;
        flash_sim_reset(1u);
        learner_init();
    }
#endif
    if (size != 0u && (data[0] & 1u) != 0u) {
        for (size_t i = 1u; i < size; i++) {
            feed(data[i]);
        }
    } else if (size > 8u && size - 1u <= SMP_MESSAGE_BYTES) {
        const uint32_t length = (uint32_t)size - 1u;
        memcpy(message, data + 1, length);
        if ((data[0] & 2u) == 0u) { /* the length in the header is right */
            message[2] = (uint8_t)((length - 8u) >> 8);
            message[3] = (uint8_t)(length - 8u);
        }
        REQUIRE(feed_message(message, length) == length);
    }
    REQUIRE(feed_message(ping, sizeof ping) == sizeof ping);
    REQUIRE(take_answer() == sizeof ping && memcmp(answer + 10, "\xA1\x61r\x61p", 5u) == 0);
    return 0;
}
