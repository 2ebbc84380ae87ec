/*
 * The bootloader. It decides which image runs, locks itself and its journal against writing, and starts
 * the image. Without one, or when asked, it waits for an upload instead: recovery.
 */
#include <stdint.h>

#include "boot_hal.h"
#include "hal.h"
#include "model_slot.h"
#include "retained.h"
#include "slots.h"
#include "smp.h"
#include "smp_frame.h"
#include "swap.h"

#define BOOTLOADER_VERSION (1u << 16 | 0u)

static void recover(void) {
    hal_init();
    for (;;) {
        const uint32_t size = smp_frame_feed(hal_uart_read_byte());
        if (size != 0u) {
            smp_serve(size);
        }
    }
}

/* The report has room for one event: the firmware's goes before the model's. */
static void decide_model(struct boot_report *report) {
#if SLOT_MODEL_PAGES
    struct boot_report told = {0};
    report->model = model_decide(&told);
    report->trial |= told.trial;
    if (report->event == BOOT_NOTHING && told.event != BOOT_NOTHING) {
        report->event = told.event;
        report->reason = told.reason;
    }
#else
    (void)report;
#endif
}

int main(void) {
    struct boot_report report = {.version = BOOTLOADER_VERSION};
    boot_hal_init();
    /* The button is read first: a swap takes its time, and whoever resets the board lets go by then. */
    const uint32_t asked = boot_hal_recovery_button() | retained_asks_recovery();
    /* Also before recovery: an upload must not meet a swap that was cut off. */
    const uint32_t vectors = boot_decide(&report);
    const uint32_t recovers = vectors == 0u || asked;
    if (!recovers) {
        decide_model(&report);
    }
    retained_leave(&report);
    boot_hal_protect(SLOT_BOOTLOADER, SLOT_BOOTLOADER_BYTES);
    boot_hal_protect(SLOT_JOURNAL, 2u * SLOT_PAGE_BYTES);
    if (recovers) {
        recover();
    }
    boot_hal_start(vectors);
    return 0;
}
