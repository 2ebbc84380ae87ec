/*
 * One start of a device with tinyc's bootloader, or one request of its application: what to do and the flash
 * come in, an answer and the flash go out. support/boot_device.py runs it.
 */
#include <stdio.h>
#include <string.h>

#include "flash.h"
#include "flash_sim.h"
#include "request.h"
#include "swap.h"

enum action { BOOT, TEST, PERMANENT, CONFIRM };

static struct answer {
    uint32_t done;
    uint32_t vectors;
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
    answer.done = vectors != 0u;
    answer.vectors = vectors;
}

int main(void) {
    uint32_t action;
    flash_sim_reset(1u);
    if (fread(&action, sizeof action, 1u, stdin) != 1u ||
        fread(flash_sim.bytes, sizeof flash_sim.bytes, 1u, stdin) != 1u) {
        fputs("the input is too short\n", stderr);
        return 2;
    }
    flash_sim_hook = count;
    if (action == BOOT) {
        boot();
    } else if (action == CONFIRM) {
        answer.done = request_confirm();
    } else {
        const uint32_t permanent = action == PERMANENT;
        answer.done = request_test(permanent) == (permanent ? REQUEST_PERMANENT : REQUEST_TEST);
    }
    fwrite(&answer, sizeof answer, 1u, stdout);
    fwrite(flash_sim.bytes, sizeof flash_sim.bytes, 1u, stdout);
    return 0;
}
