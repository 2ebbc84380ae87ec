/*
 * Images as MCUboot's imgtool writes them: a header, the body, protected and unprotected TLVs.
 */
#ifndef TINYC_IMAGE_H
#define TINYC_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC 0x96F3B83Du
#define IMAGE_HASH_BYTES 32u

#define IMAGE_NON_BOOTABLE 0x10u
#define IMAGE_ROM_FIXED 0x100u

/* Why an image is refused. Hosts know these numbers: they keep their meaning. */
enum image_fault {
    IMAGE_OK = 0,
    IMAGE_NO_HEADER = 1,        /* there is no image */
    IMAGE_BAD_HEADER = 2,       /* another header size, unknown flags, another place in flash */
    IMAGE_TOO_LARGE = 3,        /* for its slot */
    IMAGE_BAD_TLVS = 4,         /* they do not end where they say, or one comes twice or in a wrong size */
    IMAGE_NO_HASH = 5,
    IMAGE_WRONG_HASH = 6,
    IMAGE_WRONG_BOARD = 7,      /* or none is named */
    IMAGE_WRONG_MAP = 8,        /* linked for other slots, or for none */
    IMAGE_BAD_VECTORS = 9,      /* it would not start inside itself */
    IMAGE_UNSIGNED = 10,        /* and there is a key */
    IMAGE_FOREIGN_KEY = 11,     /* signed by another key */
    IMAGE_WRONG_SIGNATURE = 12,
    IMAGE_TOO_OLD = 13,         /* its security counter is below the one that is confirmed */
    IMAGE_UNCONFIRMED = 14,     /* it ran, and did not confirm itself */
};

/* An image in flash. Addresses of TLVs are those of their values, 0 where there is none. */
struct image {
    uint32_t address;
    uint32_t size;   /* all of it */
    uint32_t hashed; /* header, body and protected TLVs */
    uint32_t body;   /* its address */
    uint32_t body_size;
    uint32_t load_address;
    uint32_t flags;
    uint8_t major, minor;
    uint16_t revision;
    uint32_t build;
    uint32_t counter; /* security counter, 0 where there is none */
    uint32_t hash_at, key_hash_at, signature_at;
    uint32_t board_at, board_bytes;
    uint32_t map_at;
    uint32_t firmware_at, model_at; /* digests, 32 bytes */
    uint32_t model_name_at, model_name_bytes;
    uint32_t model_version_at, model_version_bytes;
    uint32_t counter_at;
};

/*
 * Takes apart what lies in the `limit` bytes from `address` on, and reads nothing else. No cryptography:
 * nothing is known about who made it. Returns an enum image_fault: IMAGE_NO_HEADER to IMAGE_NO_HASH.
 */
uint32_t image_read(uint32_t address, uint32_t limit, struct image *image);

/*
 * Whether it is made for this board, this map and `origin`, where it is to run or to be used: SLOT_PRIMARY
 * for programs, else a model's slot. Returns an enum image_fault.
 */
uint32_t image_fits(const struct image *image, uint32_t origin);

/* Compares its hash, which also comes out. IMAGE_OK or IMAGE_WRONG_HASH. */
uint32_t image_hash(const struct image *image, uint8_t digest[IMAGE_HASH_BYTES]);

/* In image_verify.c, for the bootloader alone: all of that, its security counter and its signature. */
uint32_t image_check(uint32_t address, uint32_t limit, uint32_t minimum_counter, struct image *image);
uint32_t image_check_model(uint32_t address, uint32_t limit, uint32_t minimum_counter, struct image *image);

/* The first bytes of the SHA-256 of the key, zeros where images are unsigned. */
void image_key_name(uint8_t name[8]);

#endif
