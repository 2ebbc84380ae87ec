#include "boot_info.h"

#include "cbor.h"
#include "retained.h"
#include "slots.h"

static void put_slot(const char *name, uint32_t pages) {
    cbor_put_head(CBOR_ARRAY, 2u);
    cbor_put_text(name);
    cbor_put_uint(pages * SLOT_PAGE_BYTES);
}

/* The bytes of a slot are those that an image may have. */
static void put_slots(void) {
    cbor_put_text("slots");
    cbor_put_head(CBOR_ARRAY, SLOT_MODEL_PAGES != 0u ? 4u : 2u);
    put_slot("primary", SLOT_IMAGE_PAGES);
    put_slot("secondary", SLOT_IMAGE_PAGES);
#if SLOT_MODEL_PAGES != 0u
    put_slot("model 0", SLOT_MODEL_PAGES - 1u);
    put_slot("model 1", SLOT_MODEL_PAGES - 1u);
#endif
}

void boot_info_put(void) {
    const struct boot_report *const report = retained_report();
    put_slots();
    cbor_put_text("boot");
    if (report == 0) { /* started without the bootloader, by a debugger */
        cbor_put_head(CBOR_MAP, 0u);
        return;
    }
    cbor_put_head(CBOR_MAP, SLOT_MODEL_PAGES != 0u ? 7u : 6u);
    cbor_put_uint_at("map", SLOT_MAP);
    cbor_put_uint_at("version", report->version);
    cbor_put_uint_at("event", report->event);
    cbor_put_uint_at("reason", report->reason);
    cbor_put_uint_at("counter", report->counter);
    cbor_put_bytes_at("key", report->key, sizeof report->key);
#if SLOT_MODEL_PAGES != 0u
    cbor_put_uint_at("model", report->model);
#endif
}
