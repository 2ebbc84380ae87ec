/*
 * Any bytes as an image, by libFuzzer; with BOOT_IMAGE_BATCH whole images from standard input. The flash is a
 * block of memory of just the size that may be read, so that AddressSanitizer sees a byte beyond.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash.h"
#include "image.h"
#include "sha256.h"
#include "slots.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static uint8_t *block;
static uint32_t first, limit;

const uint8_t *flash_at(uint32_t address) {
    REQUIRE(address >= first && address - first < limit);
    return block + (address - first);
}

uint32_t flash_word(uint32_t address) {
    uint32_t word;
    REQUIRE(address % 4u == 0u);
    memcpy(&word, flash_at(address), 4u);
    return word;
}

void flash_write(uint32_t address, const uint32_t *words, uint32_t count) {
    (void)address;
    (void)words;
    (void)count;
    abort();
}

void flash_erase(uint32_t address) {
    (void)address;
    abort();
}

static void within(const struct image *image, uint32_t at, uint32_t size, uint32_t covered) {
    if (at != 0u) {
        const uint32_t offset = at - image->address;
        REQUIRE(offset >= SLOT_HEADER_BYTES + image->body_size + 8u && offset <= limit && size <= limit - offset);
        REQUIRE(covered ? offset + size <= image->hashed : offset >= image->hashed + 8u);
    }
}

static uint32_t judge(uint32_t counter, struct image *image) {
    const uint32_t read = image_read(first, limit, image);
    if (read == IMAGE_OK) {
        REQUIRE(image->size <= limit && image->hashed < image->size && image->address == first);
        REQUIRE(image->hash_at != 0u);
        within(image, image->hash_at, 32u, 0u);
        within(image, image->key_hash_at, 32u, 0u);
        within(image, image->signature_at, 64u, 0u);
        within(image, image->counter_at, 4u, 1u);
        within(image, image->map_at, 4u, 1u);
        within(image, image->firmware_at, 32u, 1u);
        within(image, image->model_at, 32u, 1u);
        within(image, image->board_at, image->board_bytes, 1u);
        within(image, image->model_name_at, image->model_name_bytes, 1u);
        within(image, image->model_version_at, image->model_version_bytes, 1u);
    }
    const uint32_t fault = image_check(first, limit, counter, image);
    REQUIRE(read == IMAGE_OK || fault == read);
    return fault;
}

static void place(uint32_t address, uint32_t bytes, const uint8_t *data, uint32_t size) {
    first = address;
    limit = bytes;
    block = malloc(bytes != 0u ? bytes : 1u);
    REQUIRE(block != 0);
    memset(block, 0xFF, bytes);
    if (size != 0u && bytes != 0u) {
        memcpy(block, data, size < bytes ? size : bytes);
    }
}

#ifdef BOOT_IMAGE_BATCH

int main(void) {
    uint32_t head[4];
    while (fread(head, 4u, 4u, stdin) == 4u) {
        struct image image;
        uint8_t *const data = malloc(head[3] + 1u);
        REQUIRE(data != 0 && fread(data, 1u, head[3], stdin) == head[3]);
        place(head[0], head[1], data, head[3]);
        free(data);
        const uint32_t fault = head[0] == SLOT_MODEL_0 || head[0] == SLOT_MODEL_1
                                   ? image_check_model(head[0], head[1], head[2], &image)
                                   : judge(head[2], &image);
        const uint32_t answer[8] = {
            fault,         image.size,           image.body_size,
            image.counter, image.major,          (uint32_t)image.minor << 16 | image.revision,
            image.build,   image.model_name_at != 0u ? image.model_name_at - first : 0u,
        };
        REQUIRE(fwrite(answer, 4u, 8u, stdout) == 8u);
        free(block);
    }
    return 0;
}

#else

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct image image;
    if (size == 0u) {
        return 0;
    }
    const uint8_t how = data[0];
    place((how & 1u) != 0u ? SLOT_PRIMARY : SLOT_SECONDARY + SLOT_PAGE_BYTES, (uint32_t)size - 1u, data + 1,
          (uint32_t)size - 1u);
    (void)judge(0u, &image);
    if ((how & 2u) != 0u && image_read(first, limit, &image) == IMAGE_OK) {
        /* With its right hash the rest decides. */
        uint8_t digest[IMAGE_HASH_BYTES];
        (void)image_hash(&image, digest);
        memcpy(block + (image.hash_at - first), digest, sizeof digest);
        const uint32_t fault = judge(0u, &image);
        REQUIRE(fault != IMAGE_WRONG_HASH && fault < IMAGE_UNSIGNED);
    }
    free(block);
    return 0;
}

#endif
