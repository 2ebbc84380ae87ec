/*
 * One start of a device with MCUboot, or one call of the functions that MCUboot has for applications.
 *
 * In: what to do, the security counter of the device, the public key as DER, the flash.
 * Out: a struct answer, the flash. Anything that a chip's flash does not do ends the program with a message
 * and status 2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bootutil/bootutil.h"
#include "bootutil/bootutil_public.h"
#include "bootutil/image.h"
#include "bootutil/security_cnt.h"
#include "bootutil/sign_key.h"
#include "flash_map_backend/flash_map_backend.h"
#include "sysflash/sysflash.h"

#define KEY_BYTES 44u

enum action { BOOT, TEST, PERMANENT, CONFIRM };

struct answer {
    uint32_t done;          /* 1: there is an image to jump to, or the call succeeded */
    uint32_t image;         /* the address of the image's header */
    uint32_t header_bytes;  /* the vector table is this much further */
    uint32_t counter;       /* the device's security counter afterwards */
    uint32_t erased;        /* pages */
    uint32_t written;       /* words */
};

static uint8_t flash[FLASH_BYTES];
static struct answer answer;

static uint8_t key[KEY_BYTES];
static const unsigned int key_bytes = KEY_BYTES;
const struct bootutil_key bootutil_keys[] = {{.key = key, .len = &key_bytes}};
const int bootutil_key_cnt = 1;

static const struct flash_area areas[] = {
    {FLASH_AREA_IMAGE_PRIMARY(0), PRIMARY, PRIMARY_PAGES * PAGE},
    {FLASH_AREA_IMAGE_SECONDARY(0), SECONDARY, SECONDARY_PAGES * PAGE},
    {FLASH_AREA_IMAGE_SCRATCH, SCRATCH, SCRATCH_PAGES * PAGE},
};
#define AREAS (sizeof areas / sizeof areas[0])

static void require(int holds, const char *what, const struct flash_area *area, uint32_t offset, uint32_t size) {
    if (!holds) {
        fprintf(stderr, "%s: area %u, offset 0x%x, %u B\n", what, area->number, (unsigned)offset, (unsigned)size);
        exit(2);
    }
}

static uint8_t *within(const struct flash_area *area, uint32_t offset, uint32_t size) {
    require(offset <= area->size && size <= area->size - offset, "outside of the slot", area, offset, size);
    return flash + area->address + offset;
}

int flash_area_open(uint8_t number, const struct flash_area **area) {
    for (size_t i = 0u; i < AREAS; i++) {
        if (areas[i].number == number) {
            *area = &areas[i];
            return 0;
        }
    }
    return -1;
}

void flash_area_close(const struct flash_area *area) {
    (void)area;
}

int flash_area_read(const struct flash_area *area, uint32_t offset, void *target, uint32_t size) {
    memcpy(target, within(area, offset, size), size);
    return 0;
}

int flash_area_write(const struct flash_area *area, uint32_t offset, const void *source, uint32_t size) {
    uint8_t *to = within(area, offset, size);

    require(offset % 4u == 0u && size % 4u == 0u, "not whole words", area, offset, size);
    for (uint32_t i = 0u; i < size; i++) {
        require(to[i] == 0xFFu, "written without an erase", area, offset + i, 1u);
    }
    memcpy(to, source, size);
    answer.written += size / 4u;
    return 0;
}

int flash_area_erase(const struct flash_area *area, uint32_t offset, uint32_t size) {
    uint8_t *first = within(area, offset, size);

    require(offset % PAGE == 0u && size % PAGE == 0u, "not whole pages", area, offset, size);
    memset(first, 0xFF, size);
    answer.erased += size / PAGE;
    return 0;
}

int flash_area_get_sector(const struct flash_area *area, uint32_t offset, struct flash_sector *sector) {
    (void)within(area, offset, 1u);
    *sector = (struct flash_sector){offset / PAGE * PAGE, PAGE};
    return 0;
}

int flash_area_get_sectors(int number, uint32_t *count, struct flash_sector *sectors) {
    const struct flash_area *area;

    if (flash_area_open((uint8_t)number, &area) != 0 || *count < area->size / PAGE) {
        return -1;
    }
    *count = area->size / PAGE;
    for (uint32_t i = 0u; i < *count; i++) {
        sectors[i] = (struct flash_sector){i * PAGE, PAGE};
    }
    return 0;
}

int flash_area_id_from_multi_image_slot(int image, int slot) {
    if (image != 0 || slot < 0 || slot > 2) {
        return -1;
    }
    return slot + 1;
}

int flash_area_id_from_image_slot(int slot) {
    return flash_area_id_from_multi_image_slot(0, slot);
}

int flash_area_id_to_multi_image_slot(int image, int number) {
    return image == 0 && (number == 1 || number == 2) ? number - 1 : -1;
}

fih_ret boot_nv_security_counter_init(void) {
    return FIH_SUCCESS;
}

fih_ret boot_nv_security_counter_get(uint32_t image, fih_int *counter) {
    (void)image;
    *counter = fih_int_encode((int)answer.counter);
    return FIH_SUCCESS;
}

int32_t boot_nv_security_counter_update(uint32_t image, uint32_t counter) {
    (void)image;
    if (counter > answer.counter) {
        answer.counter = counter;
    }
    return 0;
}

static void read_all(void *target, size_t size) {
    if (fread(target, 1u, size, stdin) != size) {
        fputs("the input is too short\n", stderr);
        exit(2);
    }
}

static void boot(void) {
    struct boot_rsp response;

    memset(&response, 0, sizeof response);
    if (boot_go(&response) == FIH_SUCCESS) {
        answer.done = 1u;
        answer.image = response.br_image_off;
        answer.header_bytes = response.br_hdr->ih_hdr_size;
    }
}

int main(void) {
    uint32_t action;

    read_all(&action, sizeof action);
    read_all(&answer.counter, sizeof answer.counter);
    read_all(key, sizeof key);
    read_all(flash, sizeof flash);
    if (action == BOOT) {
        boot();
    } else if (action == CONFIRM) {
        answer.done = boot_set_confirmed() == 0;
    } else {
        answer.done = boot_set_pending(action == PERMANENT) == 0;
    }
    fwrite(&answer, 1u, sizeof answer, stdout);
    fwrite(flash, 1u, sizeof flash, stdout);
    return 0;
}
