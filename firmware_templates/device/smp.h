/*
 * SMP, the protocol of MCUmgr: what a message asks is done, and answered. The groups OS and STAT are here,
 * a firmware adds one of its own, and the Image group where the board has slots.
 */
#ifndef TINYC_SMP_H
#define TINYC_SMP_H

#include <stdint.h>

#include "cbor.h"

/* Operations of requests; an answer has the next number. */
#define SMP_READ 0u
#define SMP_WRITE 2u

/* What becomes of a request: 0, an error of SMP, or one of a group, which has another number in SMP v1. */
#define SMP_OK 0u
#define SMP_UNKNOWN 1u
#define SMP_INVALID 3u
#define SMP_NO_ENTRY 5u
#define SMP_BAD_STATE 6u
#define SMP_TOO_LONG 7u
#define SMP_UNSUPPORTED 8u
#define SMP_TOO_NEW 13u
#define SMP_GROUP_ERROR(number, in_v1) ((uint32_t)(number) << 8 | (in_v1))

struct smp_request {
    uint8_t *message; /* aligned for any number; free for use once the map has been read */
    struct cbor_map map;
    uint32_t operation;
    uint32_t group;
    uint32_t command;
    /* For the answer: most are a number under a key. The others are the group's to use. */
    const char *key;
    uint32_t value;
    uint32_t length;
};

/* Serves the message of `size` bytes that the receiver holds. */
void smp_serve(uint32_t size);

/* What happened since reset, as the entries of a map of SMP_COUNTERS. */
#define SMP_COUNTERS 4u
void smp_put_counters(void);
void smp_count_invocation(void);

/*
 * The firmware's own group: the first does what is asked and returns what became of it, and the second writes
 * the answer's map, twice the same. It returns 0 where the answer is `value` under `key`.
 */
#define SMP_OWN_GROUP 64u
uint32_t smp_own_group(struct smp_request *request);
uint32_t smp_put_own_group(const struct smp_request *request);

/*
 * The Image group, on boards with slots: in image_group.c, for the application and, with TINYC_BOOTLOADER 1,
 * for a bootloader that recovers. The third does what is left when the answer has been sent.
 */
#define SMP_IMAGE_GROUP 1u
uint32_t smp_image_group(const struct smp_request *request);
void smp_put_image_group(const struct smp_request *request);
void smp_image_group_after(void);

/* Whoever has the group: whether the secondary slot may be written, or holds the only image known to work. */
uint32_t smp_may_upload(void);

/* The next reset leads into the bootloader's recovery. */
void smp_ask_recovery(void);

#endif
