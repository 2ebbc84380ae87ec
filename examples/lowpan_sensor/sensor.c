/*
 * A sensor: each 200 ms it sends a window of its accelerometer to the first of its peers, which classifies it. The
 * windows are those of windows.h, one after the other and again from the first one. What came of each is a line of
 * text on the serial port: `tinyc monitor --port PORT` shows it.
 */
#include <string.h>

#include "hal.h"
#include "lowpan_application.h"
#include "windows.h"

#define PERIOD_MS 200u
#define PATIENCE_MS 1000u
/* Windows that may wait for their answers at a time. */
#define WAITING 8u

/* What goes in front of a window, and of an answer: see docs/reference/lowpan-protocol.md. */
#define HEADER 16u
#define VERSION 1u
#define REQUEST 1u
#define ANSWER 2u
#define OUTPUT_MAX 16u
#define OWN_PORT 61617u

struct waiting {
    uint32_t number, sent_at;
    uint8_t used;
};

static struct waiting waiting[WAITING];
static uint32_t next, due;
static uint32_t on_air; /* a datagram is on its way */
static char line[128];
static uint32_t written;

static void text(const char *words) {
    while (*words != '\0' && written < sizeof line) {
        line[written++] = *words++;
    }
}

static void decimal(uint32_t value) {
    char digits[11];
    uint32_t at = sizeof digits - 1u;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0u);
    text(digits + at);
}

static void hexadecimal(const uint8_t *bytes, uint32_t count) {
    char two[3] = {0, 0, 0};
    for (uint32_t i = 0u; i < count; i++) {
        two[0] = "0123456789abcdef"[bytes[i] >> 4];
        two[1] = "0123456789abcdef"[bytes[i] & 15u];
        text(two);
    }
}

/* `window NUMBER: `, and what follows. */
static void begin_line(uint32_t number) {
    written = 0u;
    text("window ");
    decimal(number);
    text(": ");
}

static void end_line(void) {
    text("\n");
    hal_uart_write((const uint8_t *)line, written);
}

void lowpan_application_start(void) {
    memset(waiting, 0, sizeof waiting);
    next = on_air = 0u;
    due = PERIOD_MS;
}

static void give_up(struct waiting *it, const char *why) {
    begin_line(it->number);
    text(why);
    end_line();
    it->used = 0u;
}

static void send_window(uint32_t now) {
    static uint8_t request[HEADER + WINDOW_BYTES];
    struct waiting *const it = waiting + next % WAITING;
    if (it->used != 0u) {
        give_up(it, "no answer");
    }
    memset(request, 0, HEADER);
    request[0] = VERSION;
    request[1] = REQUEST;
    request[2] = (uint8_t)(next >> 8);
    request[3] = (uint8_t)next;
    request[14] = (uint8_t)(WINDOW_BYTES >> 8);
    request[15] = (uint8_t)WINDOW_BYTES;
    memcpy(request + HEADER, windows[next % WINDOW_COUNT], WINDOW_BYTES);
    if (lowpan_send(&lpc_peers[0].address, OWN_PORT, LOWPAN_PORT, request, sizeof request) == LOWPAN_ACCEPTED) {
        *it = (struct waiting){next, now, 1u};
        on_air = 1u;
    } else {
        begin_line(next);
        text("not sent");
        end_line();
    }
    next++;
}

uint32_t lowpan_application_poll(uint32_t now_ms) {
    if (on_air != 0u && lowpan_outcome() != LOWPAN_SENDING) {
        struct waiting *const it = waiting + (next - 1u) % WAITING;
        if (lowpan_outcome() == LOWPAN_FAILED && it->used != 0u) {
            give_up(it, "a frame of it was never acknowledged");
        }
        on_air = 0u;
    }
    for (uint32_t i = 0u; i < WAITING; i++) {
        if (waiting[i].used != 0u && now_ms - waiting[i].sent_at >= PATIENCE_MS) {
            give_up(waiting + i, "no answer");
        }
    }
    if ((int32_t)(now_ms - due) >= 0) {
        due += PERIOD_MS;
        send_window(now_ms);
    }
    const uint32_t rest = due - now_ms;
    return rest > PERIOD_MS ? 0u : rest;
}

void lowpan_receive(const struct lowpan_datagram *datagram) {
    uint8_t answer[HEADER + OUTPUT_MAX];
    const uint16_t length = lowpan_read(datagram, 0u, answer, sizeof answer);
    if (datagram->ends.own_port != OWN_PORT || length < HEADER || answer[0] != VERSION || answer[1] != ANSWER) {
        return;
    }
    const uint32_t number = (uint32_t)answer[2] << 8 | answer[3];
    struct waiting *const it = waiting + number % WAITING;
    begin_line(number);
    if (it->used == 0u || (it->number & 0xFFFFu) != number) {
        text("nobody asked for this answer");
        end_line();
        return;
    }
    if (answer[4] != 0u) {
        text("refused with status ");
        decimal(answer[4]);
    } else {
        text("class ");
        decimal((uint32_t)answer[6] << 8 | answer[7]);
        text(", output ");
        hexadecimal(answer + HEADER, length - HEADER);
        text(", after ");
        decimal(lowpan_now() - it->sent_at);
        text(" ms");
    }
    end_line();
    it->used = 0u;
}
