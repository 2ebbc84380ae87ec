/*
 * Reader of images. Every size comes from outside: none is used before it is known to lie within what holds
 * it, and sizes are subtracted from what is left, never added to an address first.
 */
#include "image.h"

#include <string.h>

#include "flash.h"
#include "sha256.h"
#include "slots.h"

#define PROTECTED 0x6908u
#define UNPROTECTED 0x6907u
#define INFO_BYTES 4u /* before each area, and before each TLV */

/* TLVs that count only where the hash covers them have their area above their type. */
#define TLV_KEY_HASH (UNPROTECTED << 16 | 0x01u)
#define TLV_SHA256 (UNPROTECTED << 16 | 0x10u)
#define TLV_ED25519 (UNPROTECTED << 16 | 0x24u)
#define TLV_COUNTER (PROTECTED << 16 | 0x50u)
#define TLV_BOARD (PROTECTED << 16 | 0xA0u)
#define TLV_MAP (PROTECTED << 16 | 0xA1u)
#define TLV_FIRMWARE (PROTECTED << 16 | 0xA2u)
#define TLV_MODEL (PROTECTED << 16 | 0xA3u)
#define TLV_MODEL_NAME (PROTECTED << 16 | 0xA4u)
#define TLV_MODEL_VERSION (PROTECTED << 16 | 0xA5u)

/* Nothing of an image is aligned, but its header. */
static uint32_t half_at(uint32_t address) {
    const uint8_t *const bytes = flash_at(address);
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t word_at(uint32_t address) {
    return half_at(address) | half_at(address + 2u) << 16;
}

/* Keeps where a value lies. 0 for one that came before or has another size than the expected one. */
static uint32_t keep(uint32_t *place, uint32_t at, uint32_t size, uint32_t expected) {
    if (*place != 0u || size != expected) {
        return 0u;
    }
    *place = at;
    return 1u;
}

static uint32_t take(struct image *image, uint32_t tlv, uint32_t at, uint32_t size) {
    switch (tlv) {
    case TLV_SHA256:
        return keep(&image->hash_at, at, size, IMAGE_HASH_BYTES);
    case TLV_KEY_HASH:
        return keep(&image->key_hash_at, at, size, 32u);
    case TLV_ED25519:
        return keep(&image->signature_at, at, size, 64u);
    case TLV_COUNTER:
        return keep(&image->counter_at, at, size, 4u);
    case TLV_MAP:
        return keep(&image->map_at, at, size, 4u);
    case TLV_FIRMWARE:
        return keep(&image->firmware_at, at, size, 32u);
    case TLV_MODEL:
        return keep(&image->model_at, at, size, 32u);
    case TLV_BOARD:
        image->board_bytes = size;
        return keep(&image->board_at, at, size, size);
    case TLV_MODEL_NAME:
        image->model_name_bytes = size;
        return keep(&image->model_name_at, at, size, size);
    case TLV_MODEL_VERSION:
        image->model_version_bytes = size;
        return keep(&image->model_version_at, at, size, size);
    default:
        return 1u;
    }
}

/* Walks an area of TLVs that must lie in `room` bytes. Returns its size, 0 for a bad one. */
static uint32_t walk(struct image *image, uint32_t area, uint32_t at, uint32_t room) {
    if (room < INFO_BYTES || half_at(at) != area) {
        return 0u;
    }
    const uint32_t total = half_at(at + 2u);
    if (total < INFO_BYTES || total > room) {
        return 0u;
    }
    uint32_t offset = INFO_BYTES;
    while (offset < total) {
        if (total - offset < INFO_BYTES) {
            return 0u;
        }
        const uint32_t type = half_at(at + offset);
        const uint32_t size = half_at(at + offset + 2u);
        offset += INFO_BYTES;
        if (size > total - offset) {
            return 0u;
        }
        if (!take(image, area << 16 | type, at + offset, size)) {
            return 0u;
        }
        offset += size;
    }
    return total;
}

uint32_t image_read(uint32_t address, uint32_t limit, struct image *image) {
    memset(image, 0, sizeof *image);
    if (limit < SLOT_HEADER_BYTES || word_at(address) != IMAGE_MAGIC) {
        return IMAGE_NO_HEADER;
    }
    image->address = address;
    image->load_address = word_at(address + 4u);
    image->body = address + SLOT_HEADER_BYTES;
    image->body_size = word_at(address + 12u);
    image->flags = word_at(address + 16u);
    image->major = *flash_at(address + 20u);
    image->minor = *flash_at(address + 21u);
    image->revision = (uint16_t)half_at(address + 22u);
    image->build = word_at(address + 24u);
    if (half_at(address + 8u) != SLOT_HEADER_BYTES) {
        return IMAGE_BAD_HEADER;
    }
    uint32_t room = limit - SLOT_HEADER_BYTES;
    if (image->body_size > room) {
        return IMAGE_TOO_LARGE;
    }
    room -= image->body_size;
    const uint32_t covered = half_at(address + 10u);
    if (covered > room) {
        return IMAGE_TOO_LARGE;
    }
    const uint32_t behind = image->body + image->body_size;
    if (covered != 0u && walk(image, PROTECTED, behind, room) != covered) {
        return IMAGE_BAD_TLVS;
    }
    room -= covered;
    image->hashed = SLOT_HEADER_BYTES + image->body_size + covered;
    const uint32_t uncovered = walk(image, UNPROTECTED, behind + covered, room);
    if (uncovered == 0u) {
        return IMAGE_BAD_TLVS;
    }
    image->size = image->hashed + uncovered;
    image->counter = image->counter_at != 0u ? word_at(image->counter_at) : 0u;
    return image->hash_at != 0u ? IMAGE_OK : IMAGE_NO_HASH;
}

uint32_t image_fits(const struct image *image, uint32_t origin) {
    static const char board[] = SLOT_BOARD;
    if (image->board_at == 0u || image->board_bytes != sizeof board - 1u ||
        memcmp(flash_at(image->board_at), board, sizeof board - 1u) != 0) {
        return IMAGE_WRONG_BOARD;
    }
    if (image->map_at == 0u || word_at(image->map_at) != SLOT_MAP) {
        return IMAGE_WRONG_MAP;
    }
    if ((image->flags & IMAGE_ROM_FIXED) != 0u && image->load_address != origin) {
        return IMAGE_BAD_HEADER;
    }
    if (origin != SLOT_PRIMARY) {
        return image->flags == (IMAGE_NON_BOOTABLE | IMAGE_ROM_FIXED) ? IMAGE_OK : IMAGE_BAD_HEADER;
    }
    if ((image->flags & ~IMAGE_ROM_FIXED) != 0u) {
        return IMAGE_BAD_HEADER;
    }
    if (image->body_size < 8u) {
        return IMAGE_BAD_VECTORS;
    }
    /* Linked for the primary slot, wherever it lies. Handlers are Thumb code: their addresses are odd. */
    const uint32_t start = word_at(image->body + 4u);
    if ((start & 1u) == 0u || start - (origin + SLOT_HEADER_BYTES) >= image->body_size) {
        return IMAGE_BAD_VECTORS;
    }
    return IMAGE_OK;
}

uint32_t image_hash(const struct image *image, uint8_t digest[IMAGE_HASH_BYTES]) {
    const uint8_t *const expected = flash_at(image->hash_at);
    struct sha256 hash;
    uint32_t different = 0u;
    sha256_init(&hash);
    sha256_update(&hash, flash_at(image->address), image->hashed);
    sha256_final(&hash, digest);
    for (uint32_t i = 0u; i < IMAGE_HASH_BYTES; i++) {
        different |= (uint32_t)(digest[i] ^ expected[i]);
    }
    return different == 0u ? IMAGE_OK : IMAGE_WRONG_HASH;
}
