/*
 * Receiver and sender of SMP's serial frames. What arrives is decoded straight into the only buffer, what
 * leaves goes through one line.
 */
#include "smp_frame.h"

#include "cbor.h"
#include "hal.h"

#define MESSAGE_AT 4u /* the length lies in the two bytes before it */
#define HEADER_BYTES 8u
#define LINE_BYTES 127u

#define START_1 0x06u
#define START_2 0x09u
#define CONTINUE_1 0x04u
#define CONTINUE_2 0x14u

/* What base64_value() says of bytes that are no digit. */
#define PADDING 64u
#define NO_DIGIT 65u

static struct {
    uint32_t words[(MESSAGE_AT + SMP_MESSAGE_BYTES + 2u + 3u) / 4u];
    uint32_t used;   /* bytes of `words` */
    uint32_t digits; /* of the group of four that is being read, below their count in bits 24 and up */
    uint32_t dropped;
    uint8_t before;  /* the byte before this one */
    uint8_t open;    /* a packet has begun */
    uint8_t in_line; /* and one of its lines is being read */
} receiver;

static struct {
    uint32_t group; /* up to three bytes, with a 1 in front */
    uint32_t measured;
    uint16_t crc;
    uint8_t measuring;
    uint8_t used;
    uint8_t line[LINE_BYTES];
} sender;

/* CRC-16/XMODEM: polynomial 0x1021, start value 0, one byte without a table. */
static uint16_t crc_byte(uint16_t crc, uint8_t byte) {
    uint32_t mixed = (uint32_t)(crc >> 8) ^ byte;
    mixed ^= mixed >> 4;
    return (uint16_t)(((uint32_t)crc << 8) ^ (mixed << 12) ^ (mixed << 5) ^ mixed);
}

static uint32_t base64_value(uint8_t byte) {
    const uint32_t letter = (byte | 0x20u) - 'a';
    if (letter < 26u) {
        return (byte & 0x20u) != 0u ? letter + 26u : letter;
    }
    if ((uint32_t)byte - '0' < 10u) {
        return (uint32_t)byte - '0' + 52u;
    }
    return byte == '+' ? 62u : byte == '/' ? 63u : byte == '=' ? PADDING : NO_DIGIT;
}

static uint8_t base64_digit(uint32_t value) {
    if (value < 52u) {
        return (uint8_t)(value < 26u ? 'A' + value : 'a' + value - 26u);
    }
    return (uint8_t)(value < 62u ? '0' + value - 52u : value == 62u ? '+' : '/');
}

static uint8_t *bytes(void) {
    return (uint8_t *)receiver.words;
}

uint8_t *smp_frame_message(void) {
    return bytes() + MESSAGE_AT;
}

uint32_t smp_frame_dropped(void) {
    return receiver.dropped;
}

static void drop(void) {
    receiver.dropped++;
    receiver.open = 0u;
    receiver.in_line = 0u;
}

static void store(uint32_t byte) {
    if (receiver.used < MESSAGE_AT + SMP_MESSAGE_BYTES + 2u) {
        bytes()[receiver.used++] = (uint8_t)byte;
    } else if (receiver.open) {
        drop();
    }
}

/* One character of a line. Groups of four may be cut by the end of a line, and may be padded anywhere. */
static void take(uint8_t byte) {
    const uint32_t value = base64_value(byte);
    const uint32_t digits = receiver.digits;
    const uint32_t count = digits >> 24;
    if (value == NO_DIGIT) {
        drop();
        return;
    }
    if (value == PADDING) {
        /* Two digits and `==` are one byte, which counts as four digits in between; three and `=` are two. */
        if (count == 2u) {
            receiver.digits = 4u << 24 | digits >> 4;
        } else if (count == 3u) {
            store(digits >> 10);
            store(digits >> 2);
            receiver.digits = 0u;
        } else if (count == 4u) {
            store(digits);
            receiver.digits = 0u;
        } else {
            drop();
        }
        return;
    }
    if (count == 4u) {
        drop(); /* a digit between `==` */
    } else if (count < 3u) {
        receiver.digits = (count + 1u) << 24 | (digits << 6 & 0xFFFFFFu) | value;
    } else {
        store(digits >> 10);
        store(digits >> 2);
        store(digits << 6 | value);
        receiver.digits = 0u;
    }
}

/* Ends a line. Returns the length of the message when that was the last one. */
static uint32_t end_line(void) {
    const uint8_t *const packet = bytes() + MESSAGE_AT - 2u;
    const uint32_t behind = receiver.used - MESSAGE_AT;
    receiver.in_line = 0u;
    if (receiver.used < MESSAGE_AT) {
        return 0u;
    }
    const uint32_t length = (uint32_t)packet[0] << 8 | packet[1];
    if (behind < length && length <= SMP_MESSAGE_BYTES + 2u) {
        return 0u;
    }
    uint16_t crc = 0u;
    for (uint32_t i = 0; i < behind; i++) {
        crc = crc_byte(crc, packet[2u + i]);
    }
    if (behind != length || length < HEADER_BYTES + 2u || receiver.digits != 0u || crc != 0u) {
        drop();
        return 0u;
    }
    receiver.open = 0u;
    return length - 2u;
}

uint32_t smp_frame_feed(uint8_t byte) {
    const uint8_t before = receiver.before;
    receiver.before = byte;
    if (before == START_1 && byte == START_2) {
        if (receiver.open) {
            drop();
        }
        receiver.open = 1u;
        receiver.in_line = 1u;
        receiver.used = MESSAGE_AT - 2u;
        receiver.digits = 0u;
    } else if (receiver.in_line) {
        if (byte == '\n') {
            return end_line();
        }
        if (byte != '\r') {
            take(byte);
        }
    } else if (before == CONTINUE_1 && byte == CONTINUE_2) {
        receiver.in_line = receiver.open;
    }
    return 0u;
}

static void put_digits(uint32_t group, uint32_t count) {
    if (sender.used == 0u) {
        sender.line[0] = CONTINUE_1;
        sender.line[1] = CONTINUE_2;
        sender.used = 2u;
    }
    for (uint32_t i = 0; i < 4u; i++) {
        sender.line[sender.used++] = i < count ? base64_digit(group >> (18u - 6u * i) & 63u) : (uint8_t)'=';
    }
}

static void put_line(void) {
    sender.line[sender.used] = '\n';
    hal_uart_write(sender.line, sender.used + 1u);
    sender.used = 0u;
}

static void put_byte(uint8_t byte) {
    sender.crc = crc_byte(sender.crc, byte);
    sender.group = sender.group << 8 | byte;
    if (sender.group >= 1u << 24) {
        put_digits(sender.group, 4u);
        sender.group = 1u;
        if (sender.used > LINE_BYTES - 5u) {
            put_line();
        }
    }
}

void smp_frame_measure(void) {
    sender.measuring = 1u;
    sender.measured = 0u;
}

uint32_t smp_frame_measured(void) {
    sender.measuring = 0u;
    return sender.measured;
}

void smp_frame_begin(uint32_t length) {
    sender.line[0] = START_1;
    sender.line[1] = START_2;
    sender.used = 2u;
    sender.group = 1u;
    put_byte((uint8_t)((length + 2u) >> 8));
    put_byte((uint8_t)(length + 2u));
    sender.crc = 0u;
}

void cbor_sink(const uint8_t *data, uint32_t size) {
    if (sender.measuring) {
        sender.measured += size;
        return;
    }
    for (uint32_t i = 0; i < size; i++) {
        put_byte(data[i]);
    }
}

void smp_frame_end(void) {
    const uint16_t crc = sender.crc;
    put_byte((uint8_t)(crc >> 8));
    put_byte((uint8_t)crc);
    if (sender.group >= 1u << 16) {
        put_digits(sender.group << 8, 3u);
    } else if (sender.group >= 1u << 8) {
        put_digits(sender.group << 16, 2u);
    }
    if (sender.used != 0u) {
        put_line();
    }
}
