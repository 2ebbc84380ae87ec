/*
 * What makes an image trusted. The key is compiled in: boot_key.h has BOOT_KEY_PRESENT and, where that is 1,
 * boot_public_key[32] and boot_key_hash[32], the SHA-256 of the key in DER.
 */
#include <string.h>

#include "boot_key.h"
#include "flash.h"
#include "image.h"
#include "slots.h"

#if BOOT_KEY_PRESENT

#include "ed25519.h"

static uint32_t signature_fault(const struct image *image, const uint8_t digest[IMAGE_HASH_BYTES]) {
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    if (image->key_hash_at == 0u || image->signature_at == 0u) {
        return IMAGE_UNSIGNED;
    }
    if (memcmp(flash_at(image->key_hash_at), boot_key_hash, sizeof boot_key_hash) != 0) {
        return IMAGE_FOREIGN_KEY;
    }
    memcpy(signature, flash_at(image->signature_at), sizeof signature);
    return ed25519_verify(signature, boot_public_key, digest, IMAGE_HASH_BYTES) == 1u ? IMAGE_OK
                                                                                      : IMAGE_WRONG_SIGNATURE;
}

void image_key_name(uint8_t name[8]) {
    memcpy(name, boot_key_hash, 8u);
}

#else

static uint32_t signature_fault(const struct image *image, const uint8_t digest[IMAGE_HASH_BYTES]) {
    (void)image;
    (void)digest;
    return IMAGE_OK;
}

void image_key_name(uint8_t name[8]) {
    memset(name, 0, 8u);
}

#endif

/* Cheap questions first. */
static uint32_t check(uint32_t address, uint32_t origin, uint32_t limit, uint32_t minimum_counter,
                      struct image *image) {
    uint8_t digest[IMAGE_HASH_BYTES];
    uint32_t fault = image_read(address, limit, image);
    if (fault == IMAGE_OK) {
        fault = image_fits(image, origin);
    }
    if (fault == IMAGE_OK && image->counter < minimum_counter) {
        fault = IMAGE_TOO_OLD;
    }
    if (fault == IMAGE_OK) {
        fault = image_hash(image, digest);
    }
    if (fault == IMAGE_OK) {
        fault = signature_fault(image, digest);
    }
    return fault;
}

uint32_t image_check(uint32_t address, uint32_t limit, uint32_t minimum_counter, struct image *image) {
    return check(address, SLOT_PRIMARY, limit, minimum_counter, image);
}

uint32_t image_check_model(uint32_t address, uint32_t limit, uint32_t minimum_counter, struct image *image) {
    return check(address, address, limit, minimum_counter, image);
}
