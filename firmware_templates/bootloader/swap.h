/*
 * What to start: the heart of the bootloader.
 */
#ifndef TINYC_SWAP_H
#define TINYC_SWAP_H

#include <stdint.h>

#include "boot_report.h"

/*
 * Finishes what a loss of power interrupted, obeys requests, takes back what was not confirmed. Returns the
 * address of the vector table to start, or 0 where no slot has a valid image. Writes `event`, `reason`,
 * `counter` and `key` of the report. At every return the journal holds what the answer rests on.
 */
uint32_t boot_decide(struct boot_report *report);

/*
 * Whether the secondary slot may be written: 0 while it has the only copy of the image that a trial may have
 * to come back to. For the bootloader's own recovery, after boot_decide().
 */
uint32_t boot_may_upload(void);

#endif
