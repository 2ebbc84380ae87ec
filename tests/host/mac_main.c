/* Reads frames, each behind its length, and tells what mac.c makes of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mac.h"

static void put_address(const struct lpc_address *address) {
    fwrite(address->bytes, 1, sizeof address->bytes, stdout);
    putchar(address->kind);
}

static void put_number(unsigned number) {
    putchar((int)(number & 0xFFu));
    putchar((int)(number >> 8 & 0xFFu));
}

int main(void) {
    static const struct lpc_address node = {{0, 1}, LPC_ADDRESS_SHORT};
    static const struct lpc_address wide = {{2, 18, 116, 0, 0, 0, 0, 1}, LPC_ADDRESS_EXTENDED};
    for (int length = getchar(); length != EOF; length = getchar()) {
        const size_t size = (size_t)length;
        uint8_t *bytes = malloc(size + 1u); /* so that a sanitizer sees a read past the frame */
        uint8_t *exact = bytes == NULL ? NULL : realloc(bytes, size == 0u ? 1u : size);
        if (exact == NULL || fread(exact, 1, size, stdin) != size) {
            return 1;
        }
        struct mac_frame frame;
        memset(&frame, 0xA5, sizeof frame);
        const uint32_t verdict = mac_parse(exact, (uint8_t)length, &frame);
        putchar((int)verdict);
        putchar(frame.type);
        putchar(frame.ack_request);
        putchar(frame.pending);
        putchar(frame.sequence);
        put_number(frame.destination_pan);
        put_number(frame.source_pan);
        put_address(&frame.destination);
        put_address(&frame.source);
        putchar(frame.payload);
        putchar(frame.payload_length);
        putchar((int)mac_is_for(&frame, 0xABCDu, &node, &wide));
        putchar((int)mac_acknowledges(exact, (uint8_t)length, 7u));
        uint8_t header[MAC_LARGEST];
        const uint8_t written = mac_write_header(&frame, header);
        putchar(written);
        fwrite(header, 1, written, stdout);
        free(exact);
    }
    return 0;
}
