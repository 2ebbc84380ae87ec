/*
 * The boot report where it lies: in RAM that neither bootloader nor application clears.
 */
#ifndef TINYC_RETAINED_H
#define TINYC_RETAINED_H

#include <stdint.h>

#include "boot_report.h"

/* The bootloader: whether recovery was asked for, and what it leaves behind. */
uint32_t retained_asks_recovery(void);
void retained_leave(struct boot_report *report);

/* The application: what the bootloader left, 0 when it left nothing; and asking for recovery. */
const struct boot_report *retained_report(void);

/*
 * Whether the running firmware may stay: it was no trial, or it is confirmed. A confirmation whose writing was
 * cut may read either way; what the bootloader made of it counts.
 */
uint32_t retained_confirmed(void);
void retained_ask_recovery(void);

#endif
