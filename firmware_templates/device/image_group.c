/*
 * The Image group of SMP. Image 0 is the firmware: its slot 0 runs, slot 1 takes uploads. Image 1 are models,
 * where the map has slots for them: one of the two is used, the other one takes uploads. The recovery of the
 * bootloader has the firmware alone.
 */
#include <stdint.h>
#include <string.h>

#include "board.h"
#include "flash.h"
#include "image.h"
#include "request.h"
#include "retained.h"
#include "slots.h"
#include "smp.h"
#include "trailer.h"
#include "upload.h"
#if SLOT_MODEL_PAGES
#include "model_use.h"
#endif

#define STATE 0u
#define UPLOAD 1u
#define ERASE 5u

#define MODELS (SLOT_MODEL_PAGES != 0u && !TINYC_BOOTLOADER)

/* All slots in a row, as a client numbers them to erase one. */
enum slot { PRIMARY = 0, SECONDARY = 1, MODEL_0 = 2, MODEL_1 = 3 };
#define SLOTS (MODELS ? 4u : 2u)
#define CAPACITY (SLOT_IMAGE_PAGES * SLOT_PAGE_BYTES)

/* From the secondary slot on. */
static const struct upload_place places[] = {
    {SECONDARY_IMAGE, SECONDARY_TRAILER, CAPACITY, SLOT_SECONDARY},
#if MODELS
    {SLOT_MODEL_0, MODEL_TRAILER(0u), (SLOT_MODEL_PAGES - 1u) * SLOT_PAGE_BYTES, 0u},
    {SLOT_MODEL_1, MODEL_TRAILER(1u), (SLOT_MODEL_PAGES - 1u) * SLOT_PAGE_BYTES, 0u},
#endif
};

/* An error of the group; SMP v1 has numbers of its own for a few kinds of them. */
static uint32_t error_of(uint32_t number) {
    switch (number) {
    case IMAGE_ERROR_NONE:
        return SMP_OK;
    case IMAGE_ERROR_NO_FREE_SLOT:
    case IMAGE_ERROR_PENDING:
        return SMP_GROUP_ERROR(number, SMP_BAD_STATE);
    case IMAGE_ERROR_SLOT:
    case IMAGE_ERROR_OFFSET:
    case IMAGE_ERROR_LENGTH:
    case IMAGE_ERROR_HEADER:
    case IMAGE_ERROR_HASH:
    case IMAGE_ERROR_PLACE:
        return SMP_GROUP_ERROR(number, SMP_INVALID);
    default:
        return SMP_GROUP_ERROR(number, SMP_UNKNOWN);
    }
}

/* Confirmed already, or from now on. */
static uint32_t confirm_firmware(void) {
    return smp_may_upload() || request_confirm();
}

#if MODELS

static uint32_t asked(uint32_t slot) {
    return slot == PRIMARY     ? (uint32_t)REQUEST_NONE
           : slot == SECONDARY ? request_pending()
                               : request_model_pending(slot - MODEL_0);
}

static uint32_t ask(uint32_t slot, uint32_t permanent) {
    return slot == SECONDARY ? request_test(permanent) : request_model_test(slot - MODEL_0, permanent);
}

static uint32_t in_use(void) {
    return MODEL_0 + model_in_use();
}

/* The slot for uploads. */
static uint32_t free_slot(uint32_t image) {
    return image == 0u ? SECONDARY : in_use() == MODEL_0 ? MODEL_1 : MODEL_0;
}

/* Whether the slot holds the only image that is known to work, or the one that runs. */
static uint32_t is_needed(uint32_t slot) {
    return slot == SECONDARY ? !smp_may_upload() : slot == in_use() || model_on_trial();
}

/* Whether what the slot holds is running. */
static uint32_t is_active(uint32_t slot) {
    return slot == PRIMARY || (slot == in_use() && model_would_run(slot - MODEL_0));
}

static uint32_t is_confirmed(uint32_t slot) {
    if (slot < MODEL_0) {
        return slot == PRIMARY && smp_may_upload();
    }
    return (slot == in_use()) != model_on_trial() && model_in_use() != MODEL_NO_SLOT;
}

/* Keeps what is running. A model that the firmware refuses is never kept by it. */
static uint32_t confirm(uint32_t slot) {
    const uint32_t done = slot == PRIMARY ? confirm_firmware() : request_model_confirm(slot - MODEL_0);
    return done ? IMAGE_ERROR_NONE : IMAGE_ERROR_CONFIRM;
}

#else

static uint32_t asked(uint32_t slot) {
    return slot == PRIMARY ? (uint32_t)REQUEST_NONE : request_pending();
}

static uint32_t ask(uint32_t slot, uint32_t permanent) {
    (void)slot;
    return request_test(permanent);
}

static uint32_t is_needed(uint32_t slot) {
    (void)slot;
    return !smp_may_upload();
}

static uint32_t is_active(uint32_t slot) {
    return !TINYC_BOOTLOADER && slot == PRIMARY;
}

static uint32_t is_confirmed(uint32_t slot) {
    return is_active(slot) && smp_may_upload();
}

static uint32_t confirm(uint32_t slot) {
    (void)slot;
    return !TINYC_BOOTLOADER && confirm_firmware() ? IMAGE_ERROR_NONE : IMAGE_ERROR_CONFIRM;
}

#endif

static uint32_t is_pending(uint32_t slot) {
    const uint32_t pending = asked(slot);
    return pending == REQUEST_TEST || pending == REQUEST_PERMANENT;
}

/* The slot may hold the only image that is known to work, or one that is about to run. */
static uint32_t is_reserved(uint32_t slot) {
    return is_needed(slot) || is_pending(slot);
}

/* Takes apart what a slot holds. Returns 0 where that is no image. */
static uint32_t find(uint32_t slot, struct image *image) {
    if (slot == PRIMARY) {
        return image_read(SLOT_PRIMARY, CAPACITY, image) == IMAGE_OK;
    }
    const struct upload_place *const place = places + (slot - SECONDARY);
    return !upload_unfinished(place) && image_read(place->image, place->capacity, image) == IMAGE_OK;
}

static uint32_t has_hash(uint32_t slot, const uint8_t *hash, struct image *image) {
    return find(slot, image) && memcmp(flash_at(image->hash_at), hash, IMAGE_HASH_BYTES) == 0;
}

/* Asks the bootloader for a slot's image. */
static uint32_t request(uint32_t slot, const struct image *image, uint32_t permanent) {
    const uint32_t wanted = permanent ? REQUEST_PERMANENT : REQUEST_TEST;
    uint8_t digest[IMAGE_HASH_BYTES];
    uint32_t pending = asked(slot);
    if (is_needed(slot)) {
        return IMAGE_ERROR_NO_FREE_SLOT;
    }
    if (pending == wanted) {
        return IMAGE_ERROR_NONE;
    }
    if (is_pending(slot)) {
        return IMAGE_ERROR_PENDING;
    }
    if (image_hash(image, digest) != IMAGE_OK) {
        return IMAGE_ERROR_HASH;
    }
    if (image_fits(image, slot == SECONDARY ? SLOT_PRIMARY : image->address) != IMAGE_OK) {
        return IMAGE_ERROR_PLACE; /* the bootloader would refuse it: for another board, or other slots */
    }
#if MODELS
    if (permanent && slot != SECONDARY && !model_would_run(slot - MODEL_0)) {
        return IMAGE_ERROR_CONFIRM;
    }
#endif
    pending = ask(slot, permanent);
    if (pending == REQUEST_TORN) {
        upload_select(places + (slot - SECONDARY));
        upload_clear_request();
        pending = ask(slot, permanent);
    }
    return pending == wanted ? IMAGE_ERROR_NONE : IMAGE_ERROR_WRITE;
}

/* Reads a boolean that may be absent. Returns 0 for anything else. */
static uint32_t flag(const struct smp_request *request, const char *key, uint32_t *value) {
    struct cbor_item item;
    const enum cbor_found found = cbor_find(&request->map, key, &item);
    *value = found == CBOR_FOUND && item.value == CBOR_TRUE;
    return found != CBOR_FOUND ||
           (item.kind == CBOR_SIMPLE && (item.value == CBOR_FALSE || item.value == CBOR_TRUE));
}

static uint32_t set_state(const struct smp_request *request_) {
    struct cbor_item hash;
    struct image image;
    uint32_t confirms;
    const enum cbor_found told = cbor_find(&request_->map, "hash", &hash);
    /* A client may send null for a hash that it does not have. */
    const uint32_t has = told == CBOR_FOUND && hash.kind != CBOR_SIMPLE;
    if (!flag(request_, "confirm", &confirms) || (has && hash.kind != CBOR_BYTES)) {
        return SMP_INVALID;
    }
    if (!has) {
        return error_of(confirms ? confirm(PRIMARY) : (uint32_t)IMAGE_ERROR_HASH);
    }
    if (hash.value != IMAGE_HASH_BYTES) {
        return error_of(IMAGE_ERROR_HASH);
    }
    for (uint32_t slot = PRIMARY; slot < SLOTS; slot++) {
        if (is_active(slot) && has_hash(slot, hash.data, &image)) {
            return error_of(confirms ? confirm(slot) : (uint32_t)IMAGE_ERROR_ACTIVE);
        }
    }
    for (uint32_t slot = SECONDARY; slot < SLOTS; slot++) {
        if (has_hash(slot, hash.data, &image)) {
            return error_of(request(slot, &image, confirms));
        }
    }
    return error_of(IMAGE_ERROR_UNKNOWN_HASH);
}

/* A number that may be absent, `value` then stays. Returns 0 for something else. */
static uint32_t number(const struct smp_request *request, const char *key, uint32_t *value) {
    struct cbor_item item;
    const enum cbor_found found = cbor_find(&request->map, key, &item);
    if (found == CBOR_FOUND) {
        *value = item.value;
    }
    return found != CBOR_FOUND || item.kind == CBOR_UINT;
}

static uint32_t take_upload(const struct smp_request *request) {
    struct upload_chunk chunk = {.length = UPLOAD_NO_LENGTH};
    struct cbor_item data, sha;
    uint32_t image, slot = SECONDARY;
    const enum cbor_found told = cbor_find(&request->map, "sha", &sha);
    if (cbor_find(&request->map, "off", &data) != CBOR_FOUND) {
        return error_of(IMAGE_ERROR_OFFSET);
    }
    chunk.offset = data.value;
    /* Clients name the image with the first chunk alone. */
    image = chunk.offset != 0u && upload_selected() != places;
    if (data.kind != CBOR_UINT || !number(request, "len", &chunk.length) || !number(request, "image", &image) ||
        !cbor_need(&request->map, "data", CBOR_BYTES, &data) || (told == CBOR_FOUND && sha.kind != CBOR_BYTES)) {
        return SMP_INVALID;
    }
    if (image > (MODELS ? 1u : 0u)) {
        return error_of(IMAGE_ERROR_SLOT);
    }
#if MODELS
    slot = free_slot(image);
#endif
    if (told == CBOR_FOUND) {
        if (sha.value != UPLOAD_SHA_BYTES) {
            return error_of(IMAGE_ERROR_HASH);
        }
        chunk.sha = sha.data;
    }
    if (is_reserved(slot)) {
        return error_of(IMAGE_ERROR_NO_FREE_SLOT);
    }
    upload_select(places + (slot - SECONDARY));
    chunk.data = data.data;
    chunk.size = data.value;
    return error_of(upload_take(&chunk));
}

static uint32_t erase(const struct smp_request *request) {
    uint32_t slot = SECONDARY;
    if (!number(request, "slot", &slot)) {
        return SMP_INVALID;
    }
    if (slot == PRIMARY || slot >= SLOTS) {
        return error_of(IMAGE_ERROR_SLOT);
    }
    if (is_reserved(slot)) {
        return error_of(IMAGE_ERROR_NO_FREE_SLOT);
    }
    upload_select(places + (slot - SECONDARY));
    return error_of(upload_erase());
}

uint32_t smp_image_group(const struct smp_request *request) {
    const uint32_t writes = request->operation == SMP_WRITE;
    if (upload_selected() == 0) {
        upload_select(places);
    }
    switch (request->command) {
    case STATE:
        return writes ? set_state(request) : SMP_OK;
    case UPLOAD:
        return writes ? take_upload(request) : SMP_UNSUPPORTED;
    case ERASE:
        return writes ? erase(request) : SMP_UNSUPPORTED;
    default:
        return SMP_UNSUPPORTED;
    }
}

static uint32_t put_decimal(char *text, uint32_t value) {
    uint32_t digits = 1u;
    for (uint32_t rest = value; rest >= 10u; rest /= 10u) {
        digits++;
    }
    for (uint32_t i = digits; i > 0u; i--) {
        text[i - 1u] = (char)('0' + value % 10u);
        value /= 10u;
    }
    return digits;
}

/* As "1.2.3", or "1.2.3.4" where there is a build number. */
static void put_version(const struct image *image) {
    const uint32_t parts[4] = {image->major, image->minor, image->revision, image->build};
    char text[3u + 1u + 3u + 1u + 5u + 1u + 10u];
    uint32_t size = 0u;
    for (uint32_t i = 0u; i < (parts[3] != 0u ? 4u : 3u); i++) {
        if (i != 0u) {
            text[size++] = '.';
        }
        size += put_decimal(text + size, parts[i]);
    }
    cbor_put_text("version");
    cbor_put_string(CBOR_TEXT, text, size);
}

static void put_slot(uint32_t slot, const struct image *image) {
    const uint32_t pending = asked(slot);
    const uint32_t is_model = slot >= MODEL_0;
    /* In the trailer of a model that is used or was used, a request is history. */
    const uint32_t waits = !is_model || !is_needed(slot);
    cbor_put_head(CBOR_MAP, 8u + is_model);
    if (is_model) {
        cbor_put_uint_at("image", 1u);
    }
    cbor_put_uint_at("slot", slot - (is_model ? (uint32_t)MODEL_0 : (uint32_t)PRIMARY));
    put_version(image);
    cbor_put_bytes_at("hash", flash_at(image->hash_at), IMAGE_HASH_BYTES);
    cbor_put_flag_at("bootable", (image->flags & IMAGE_NON_BOOTABLE) == 0u);
    cbor_put_flag_at("pending", waits && is_pending(slot));
    cbor_put_flag_at("confirmed", is_confirmed(slot));
    cbor_put_flag_at("active", is_active(slot));
    cbor_put_flag_at("permanent", waits && pending == REQUEST_PERMANENT);
}

static void put_state(void) {
    struct image image;
    uint32_t count = 0u;
    for (uint32_t slot = 0u; slot < SLOTS; slot++) {
        count += find(slot, &image);
    }
    cbor_put_head(CBOR_MAP, 1u);
    cbor_put_text("images");
    cbor_put_head(CBOR_ARRAY, count);
    for (uint32_t slot = 0u; slot < SLOTS; slot++) {
        if (find(slot, &image)) {
            put_slot(slot, &image);
        }
    }
}

void smp_put_image_group(const struct smp_request *request) {
    const enum upload_match match = upload_match();
    if (request->command == STATE) {
        put_state();
    } else if (request->command == UPLOAD) {
        const uint32_t tells = match == UPLOAD_MATCHES || match == UPLOAD_DIFFERS;
        cbor_put_head(CBOR_MAP, tells ? 2u : 1u);
        cbor_put_uint_at("off", upload_offset());
        if (tells) {
            cbor_put_flag_at("match", match == UPLOAD_MATCHES);
        }
    } else {
        cbor_put_head(CBOR_MAP, 0u);
    }
}

void smp_image_group_after(void) {
    upload_write();
}

void smp_ask_recovery(void) {
    retained_ask_recovery();
}
