/*
 * One start of a device with tinyc's bootloader, or one request of its application, in the form of
 * support/stock_mcuboot/main.c: what to do, a counter and a key, which both are not used, and the flash come
 * in; an answer and the flash go out.
 */
#include <stdio.h>
#include <string.h>

#include "flash.h"
#include "flash_sim.h"
#include "request.h"
#include "swap.h"

#define KEY_BYTES 44u

enum action { BOOT, TEST, PERMANENT, CONFIRM };

static struct answer {
    uint32_t done;
    uint32_t image;
    uint32_t header_bytes;
    uint32_t counter;
    uint32_t erased;
    uint32_t written;
} answer;

static uint32_t count(uint32_t address, uint32_t value) {
    (void)address;
    if (value == FLASH_BLANK) {
        answer.erased++;
    } else {
        answer.written++;
    }
    return CUT_MODES;
}

static void boot(void) {
    struct boot_report report = {0};
    const uint32_t vectors = boot_decide(&report);
    fprintf(stderr, "event %u, reason %u\n", (unsigned)report.event, (unsigned)report.reason);
    answer.counter = report.counter;
    if (vectors != 0u) {
        answer.done = 1u;
        answer.header_bytes = SLOT_HEADER_BYTES;
        answer.image = vectors - SLOT_HEADER_BYTES;
    }
}

int main(void) {
    uint32_t given[2];
    uint8_t key[KEY_BYTES];
    flash_sim_reset(1u);
    if (fread(given, sizeof given, 1u, stdin) != 1u || fread(key, sizeof key, 1u, stdin) != 1u ||
        fread(flash_sim.bytes, sizeof flash_sim.bytes, 1u, stdin) != 1u) {
        fputs("the input is too short\n", stderr);
        return 2;
    }
    answer.counter = given[1];
    flash_sim_hook = count;
    if (given[0] == BOOT) {
        boot();
    } else if (given[0] == CONFIRM) {
        answer.done = request_confirm();
    } else {
        const uint32_t permanent = given[0] == PERMANENT;
        answer.done = request_test(permanent) == (permanent ? REQUEST_PERMANENT : REQUEST_TEST);
    }
    fwrite(&answer, sizeof answer, 1u, stdout);
    fwrite(flash_sim.bytes, sizeof flash_sim.bytes, 1u, stdout);
    return 0;
}
