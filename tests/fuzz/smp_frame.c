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
#include "model.h"
#include "smp.h"
#include "smp_frame.h"
#include "tokenizer.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

const uint8_t linker_ram_end[1];
extern const uint8_t linker_ram_limit[1] __attribute__((alias("linker_ram_end")));
const uint8_t fake_digest[32] = {1u};

static uint32_t arena_words[FAKE_ARENA_SIZE / 4u];
static uint32_t resets;

static uint8_t sent[2u * SMP_MESSAGE_BYTES];
static uint32_t sent_bytes;
static uint8_t answer[SMP_MESSAGE_BYTES + 4u];

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

void hal_uart_write(const uint8_t *data, uint32_t size) {
    REQUIRE(size <= sizeof sent - sent_bytes);
    memcpy(sent + sent_bytes, data, size);
    sent_bytes += size;
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

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint16_t crc_of(const uint8_t *data, uint32_t size) {
    uint32_t crc = 0u;
    for (uint32_t i = 0; i < size; i++) {
        crc ^= (uint32_t)data[i] << 8;
        for (uint32_t bit = 0; bit < 8u; bit++) {
            crc = (crc << 1 ^ ((crc & 0x8000u) != 0u ? 0x1021u : 0u)) & 0xFFFFu;
        }
    }
    return (uint16_t)crc;
}

static uint32_t value_of(uint8_t digit) {
    const char *const found = digit != 0u ? strchr(alphabet, digit) : 0;
    REQUIRE(found != 0);
    return (uint32_t)(found - alphabet);
}

/* Takes apart the one frame that was sent, to the last byte. Returns the length of its message. */
static uint32_t take_answer(void) {
    uint32_t at = 0u, size = 0u, ended = 0u;
    REQUIRE(sent_bytes != 0u);
    while (at < sent_bytes) {
        const uint32_t line = at;
        REQUIRE(sent_bytes - at >= 3u);
        REQUIRE(sent[at] == (line == 0u ? 0x06u : 0x04u) && sent[at + 1u] == (line == 0u ? 0x09u : 0x14u));
        for (at += 2u; sent[at] != '\n'; at += 4u) {
            REQUIRE(!ended && sent_bytes - at >= 5u && size + 3u <= sizeof answer);
            const uint32_t pads = (uint32_t)(sent[at + 2u] == '=') + (uint32_t)(sent[at + 3u] == '=');
            REQUIRE(pads != 1u || sent[at + 3u] == '=');
            uint32_t group = value_of(sent[at]) << 18 | value_of(sent[at + 1u]) << 12;
            group |= pads < 2u ? value_of(sent[at + 2u]) << 6 : 0u;
            group |= pads < 1u ? value_of(sent[at + 3u]) : 0u;
            for (uint32_t i = 0; i < 3u - pads; i++) {
                answer[size++] = (uint8_t)(group >> (16u - 8u * i));
            }
            ended = pads;
        }
        at++;
        REQUIRE(at - line <= 127u);
        REQUIRE(at - line == 127u || at == sent_bytes);
    }
    REQUIRE(size >= 12u && ((uint32_t)answer[0] << 8 | answer[1]) == size - 2u);
    REQUIRE(crc_of(answer + 2, size - 2u) == 0u);
    REQUIRE(((uint32_t)answer[4] << 8 | answer[5]) == size - 12u);
    REQUIRE((answer[2] & 1u) != 0u && answer[2] >> 3 <= 1u && answer[3] == 0u);
    const struct cbor_map map = {answer + 10, size - 12u};
    REQUIRE(map.size != 0u && cbor_find(&map, 0, 0) != CBOR_MALFORMED);
    return size - 4u;
}

static uint32_t feed(uint8_t byte) {
    const uint32_t size = smp_frame_feed(byte);
    if (size != 0u) {
        REQUIRE(size >= 8u && size <= SMP_MESSAGE_BYTES);
        const uint32_t asked = (smp_frame_message()[0] & 1u) == 0u;
        uint8_t header[8];
        memcpy(header, smp_frame_message(), sizeof header);
        sent_bytes = 0u;
        smp_serve(size);
        REQUIRE(asked ? take_answer() <= SMP_MESSAGE_BYTES : sent_bytes == 0u);
        REQUIRE(!asked || memcmp(answer + 6, header + 4, 4u) == 0);
    }
    return size;
}

static void feed_group(const uint8_t *three, uint32_t count) {
    const uint32_t group = (uint32_t)three[0] << 16 | (count > 1u ? (uint32_t)three[1] << 8 : 0u) |
                           (count > 2u ? three[2] : 0u);
    for (uint32_t i = 0; i < 4u; i++) {
        feed(i <= count ? (uint8_t)alphabet[group >> (18u - 6u * i) & 63u] : (uint8_t)'=');
    }
}

/* Frames a message of at least a header. Returns its length when it came out at the other end. */
static uint32_t feed_message(const uint8_t *message, uint32_t size) {
    static uint8_t packet[SMP_MESSAGE_BYTES + 4u];
    const uint16_t crc = crc_of(message, size);
    packet[0] = (uint8_t)((size + 2u) >> 8);
    packet[1] = (uint8_t)(size + 2u);
    memcpy(packet + 2, message, size);
    packet[size + 2u] = (uint8_t)(crc >> 8);
    packet[size + 3u] = (uint8_t)crc;
    feed(0x06u);
    feed(0x09u);
    for (uint32_t at = 0; at < size + 4u; at += 3u) {
        if (at != 0u && at % 93u == 0u) {
            feed('\n');
            feed(0x04u);
            feed(0x14u);
        }
        feed_group(packet + at, size + 4u - at < 3u ? size + 4u - at : 3u);
    }
    return feed('\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t ping[] = {0x0A, 0, 0, 5, 0, 0, 9, 0, 0xA1, 0x61, 'd', 0x61, 'p'};
    static uint8_t message[SMP_MESSAGE_BYTES];
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
