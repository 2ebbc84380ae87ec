/*
 * Uploads into a slot. A chunk is taken first and written when its answer is on its way. What is
 * finished is noted in flash, page by page, so that an upload goes on after a reset or a power cut.
 */
#ifndef TINYC_UPLOAD_H
#define TINYC_UPLOAD_H

#include <stdint.h>

/* Errors of SMP's Image group. */
enum image_error {
    IMAGE_ERROR_NONE = 0,
    IMAGE_ERROR_UNKNOWN_HASH = 8,
    IMAGE_ERROR_NO_FREE_SLOT = 9,
    IMAGE_ERROR_WRITE = 12,
    IMAGE_ERROR_ERASE = 13,
    IMAGE_ERROR_SLOT = 14,
    IMAGE_ERROR_OFFSET = 20,
    IMAGE_ERROR_LENGTH = 21,
    IMAGE_ERROR_HEADER = 22,
    IMAGE_ERROR_HEADER_MAGIC = 23,
    IMAGE_ERROR_HASH = 24,
    IMAGE_ERROR_PLACE = 25,
    IMAGE_ERROR_PENDING = 28,
    IMAGE_ERROR_TOO_LARGE = 30,
    IMAGE_ERROR_OVERRUN = 31,
    IMAGE_ERROR_CONFIRM = 32,
    IMAGE_ERROR_ACTIVE = 33
};

#define UPLOAD_SHA_BYTES 32u
#define UPLOAD_NO_LENGTH 0xFFFFFFFFu

/* A slot that takes uploads: its image, the page that ends it, and the most bytes of an image. */
struct upload_place {
    uint32_t image;
    uint32_t trailer;
    uint32_t capacity;
    uint32_t before; /* a page in front of it that has to look empty, 0 for none */
};

/* The slot of all that follows. It is called before anything else; another one is like a start of the chip. */
void upload_select(const struct upload_place *place);
const struct upload_place *upload_selected(void);

struct upload_chunk {
    const uint8_t *data; /* stays where it is until upload_write() */
    uint32_t size;
    uint32_t offset;
    uint32_t length;    /* of the whole file, UPLOAD_NO_LENGTH where it is not told; counts at offset 0 */
    const uint8_t *sha; /* SHA-256 of the whole file, null where it is not told; counts at offset 0 */
};

/*
 * Takes a chunk, or only tells where to go on by upload_offset(). The last one is also written. Returns an
 * enum image_error, also for what went wrong with the chunk before.
 */
uint32_t upload_take(const struct upload_chunk *chunk);

/* The next byte that is wanted. */
uint32_t upload_offset(void);

/* Of a file that is complete: whether it has the SHA-256 that was told with it. */
enum upload_match { UPLOAD_OPEN = 0, UPLOAD_MATCHES = 1, UPLOAD_DIFFERS = 2, UPLOAD_UNTOLD = 3 };
enum upload_match upload_match(void);

/* Writes what was taken and is not written yet. */
void upload_write(void);

/* Whether an upload to this slot has begun and is not complete, so that it holds no image. */
uint32_t upload_unfinished(const struct upload_place *place);

/* Erases the slot. Returns an enum image_error. */
uint32_t upload_erase(void);

/* Erases the end of the slot, where the request for the bootloader lies, and keeps what the front says. */
void upload_clear_request(void);

#endif
