#include "retained.h"

#include "request.h"
#include "slots.h"

static struct boot_report *retained(void) {
    return (struct boot_report *)(uintptr_t)SLOT_RETAINED;
}

uint32_t retained_asks_recovery(void) {
    return retained()->request == BOOT_REQUEST_RECOVERY;
}

void retained_leave(struct boot_report *report) {
    report->magic = BOOT_REPORT_MAGIC;
    report->request = 0u;
    report->check = boot_report_check(report);
    *retained() = *report;
}

const struct boot_report *retained_report(void) {
    return boot_report_is_valid(retained()) ? retained() : 0;
}

uint32_t retained_confirmed(void) {
    const struct boot_report *const report = retained_report();
    return (report != 0 && (report->trial & BOOT_TRIAL_FIRMWARE) == 0u) || request_confirmed();
}

void retained_ask_recovery(void) {
    retained()->request = BOOT_REQUEST_RECOVERY;
}
