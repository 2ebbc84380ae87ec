/*
 * What the bootloader offers over SMP besides uploads: hello, of group 64.
 */
#include <stdint.h>

#include "boot_info.h"
#include "cbor.h"
#include "hal.h"
#include "slots.h"
#include "smp.h"
#include "swap.h"

#define PROTOCOL_VERSION 2u
#define HELLO 0u

uint32_t smp_may_upload(void) {
    return boot_may_upload();
}

uint32_t smp_own_group(struct smp_request *request) {
    return request->operation == SMP_READ && request->command == HELLO ? SMP_OK : SMP_UNSUPPORTED;
}

uint32_t smp_put_own_group(const struct smp_request *request) {
    uint8_t chip[8];
    (void)request;
    hal_device_id(chip);
    cbor_put_head(CBOR_MAP, 4u + BOOT_INFO_ENTRIES);
    cbor_put_uint_at("proto", PROTOCOL_VERSION);
    cbor_put_text_at("board", SLOT_BOARD);
    cbor_put_bytes_at("chip", chip, sizeof chip);
    cbor_put_text_at("mode", "recovery");
    boot_info_put();
    return 1u;
}
