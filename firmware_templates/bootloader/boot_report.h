/*
 * What the bootloader tells the application, in RAM that neither clears: at SLOT_RETAINED.
 */
#ifndef TINYC_BOOT_REPORT_H
#define TINYC_BOOT_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "crc32.h"

#define BOOT_REPORT_MAGIC 0x54524F42u
#define BOOT_REQUEST_RECOVERY 0x5EC07E12u

/* What a boot did. Hosts know these numbers. */
enum boot_event {
    BOOT_NOTHING = 0,
    BOOT_INSTALLED = 1, /* the secondary slot's image where the primary had none that is valid */
    BOOT_SWAPPED = 2,   /* the new image runs, for a trial or for good */
    BOOT_REVERTED = 3,  /* the old image is back */
    BOOT_REFUSED = 4,   /* the image of a request */
};

#define BOOT_TRIAL_MODEL 1u
#define BOOT_TRIAL_FIRMWARE 2u

struct boot_report {
    uint32_t magic;   /* BOOT_REPORT_MAGIC when the bootloader wrote the rest */
    uint32_t request; /* BOOT_REQUEST_RECOVERY from the application, which then resets */
    uint32_t version; /* of the bootloader, major << 16 | minor */
    uint32_t event;   /* enum boot_event */
    uint32_t reason;  /* of the newest refusal: enum image_fault, 0 for none */
    uint32_t counter; /* the security counter that images must have at least */
    uint8_t key[8];   /* first bytes of the SHA-256 of the public key in DER; zeros: images are unsigned */
    uint32_t model;   /* address of the image of the model to use, 0 for none */
    uint32_t trial;   /* what runs in this boot only, unless it is confirmed: BOOT_TRIAL_... */
    uint32_t check;   /* boot_report_check() */
};

/* The CRC-32 of all words before `check` but `request`. */
static inline uint32_t boot_report_check(const struct boot_report *report) {
    const uint32_t magic = crc32(0u, &report->magic, sizeof report->magic);
    const size_t from = offsetof(struct boot_report, version);
    return crc32(magic, (const uint8_t *)report + from, (uint32_t)(offsetof(struct boot_report, check) - from));
}

static inline uint32_t boot_report_is_valid(const struct boot_report *report) {
    return report->magic == BOOT_REPORT_MAGIC && report->check == boot_report_check(report);
}

#endif
