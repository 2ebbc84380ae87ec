/*
 * The other end of the serial line, for the fuzzers of SMP servers: frames messages so that no fuzzer need guess
 * a CRC, and takes apart what the server sends by a decoder of its own. For one C file of a program.
 */
#ifndef SMP_LINE_H
#define SMP_LINE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cbor.h"
#include "hal.h"
#include "smp.h"
#include "smp_frame.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static uint8_t sent[2u * SMP_MESSAGE_BYTES];
static uint32_t sent_bytes;
static uint8_t answer[SMP_MESSAGE_BYTES + 4u];

void hal_uart_write(const uint8_t *data, uint32_t size) {
    REQUIRE(size <= sizeof sent - sent_bytes);
    memcpy(sent + sent_bytes, data, size);
    sent_bytes += size;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint16_t crc_of(const uint8_t *data, uint32_t size) {
    static uint16_t table[256];
    for (uint32_t byte = 0; table[255] == 0u && byte < 256u; byte++) {
        uint32_t crc = byte << 8;
        for (uint32_t bit = 0; bit < 8u; bit++) {
            crc = (crc << 1 ^ ((crc & 0x8000u) != 0u ? 0x1021u : 0u)) & 0xFFFFu;
        }
        table[byte] = (uint16_t)crc;
    }
    uint32_t crc = 0u;
    for (uint32_t i = 0; i < size; i++) {
        crc = (crc << 8 & 0xFFFFu) ^ table[crc >> 8 ^ data[i]];
    }
    return (uint16_t)crc;
}

static uint32_t value_of(uint8_t digit) {
    static uint8_t values[256]; /* one more than it is worth */
    for (uint32_t value = 0; values['/'] == 0u && value < 64u; value++) {
        values[(uint8_t)alphabet[value]] = (uint8_t)(value + 1u);
    }
    REQUIRE(values[digit] != 0u);
    return values[digit] - 1u;
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

/* Has the message served that the receiver holds, and takes the answer. */
static void serve(uint32_t size) {
    const uint32_t asked = (smp_frame_message()[0] & 1u) == 0u;
    uint8_t header[8];
    REQUIRE(size >= sizeof header && size <= SMP_MESSAGE_BYTES);
    memcpy(header, smp_frame_message(), sizeof header);
    sent_bytes = 0u;
    smp_serve(size);
    REQUIRE(asked ? take_answer() <= SMP_MESSAGE_BYTES : sent_bytes == 0u);
    REQUIRE(!asked || memcmp(answer + 6, header + 4, 4u) == 0);
}

static uint32_t feed(uint8_t byte) {
    const uint32_t size = smp_frame_feed(byte);
    if (size != 0u) {
        serve(size);
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

#endif
