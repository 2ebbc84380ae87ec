/*
 * Header, errors and dispatch of SMP, and the groups OS and STAT. An answer is written twice by the same
 * function: first measured, then sent. It needs no memory, because the request is still there to quote from.
 */
#include "smp.h"

#include "board.h"
#include "hal.h"
#include "smp_frame.h"

#define HEADER_BYTES 8u

#define OS_GROUP 0u
#define OS_ECHO 0u
#define OS_RESET 5u
#define OS_PARAMETERS 6u
#define OS_BOOTLOADER 8u
#define OS_NO_ANSWER SMP_GROUP_ERROR(3u, SMP_UNSUPPORTED)
#define BOOT_MODE_RECOVERY 1u
#define SWAP_USING_OFFSET 9u /* MCUboot's number of the way in which its slots are used */

#define STAT_GROUP 2u
#define STAT_DATA 0u
#define STAT_LIST 1u
#define STAT_UNKNOWN SMP_GROUP_ERROR(2u, SMP_NO_ENTRY)

static const char statistics[] = "tinyc";

static struct {
    uint32_t packets;
    uint32_t refused;
    uint32_t invocations;
} counters;

void smp_count_invocation(void) {
    counters.invocations++;
}

void smp_put_counters(void) {
    cbor_put_uint_at("packets", counters.packets);
    cbor_put_uint_at("dropped", smp_frame_dropped());
    cbor_put_uint_at("refused", counters.refused);
    cbor_put_uint_at("invocations", counters.invocations);
}

static uint32_t os_group(struct smp_request *request) {
    struct cbor_item text;
    switch (request->command) {
    case OS_ECHO:
        return cbor_need(&request->map, "d", CBOR_TEXT, &text) ? SMP_OK : SMP_INVALID;
    case OS_RESET:
#if BOARD_HAS_SLOTS
        if (cbor_need(&request->map, "boot_mode", CBOR_UINT, &text)) {
            request->value = text.value;
        }
#endif
        return request->operation == SMP_WRITE ? SMP_OK : SMP_UNSUPPORTED;
    case OS_PARAMETERS:
        return request->operation == SMP_READ ? SMP_OK : SMP_UNSUPPORTED;
#if BOARD_HAS_SLOTS
    case OS_BOOTLOADER:
        if (request->operation != SMP_READ) {
            return SMP_UNSUPPORTED;
        }
        if (cbor_find(&request->map, "query", &text) == CBOR_FOUND) {
            request->value = text.kind == CBOR_TEXT && cbor_equals(&text, "mode");
            request->key = "mode";
            return request->value ? SMP_OK : OS_NO_ANSWER;
        }
        return SMP_OK;
#endif
    default:
        return SMP_UNSUPPORTED;
    }
}

static void put_os_group(const struct smp_request *request) {
    struct cbor_item text;
    switch (request->command) {
    case OS_ECHO:
        (void)cbor_need(&request->map, "d", CBOR_TEXT, &text);
        cbor_put_head(CBOR_MAP, 1u);
        cbor_put_text("r");
        cbor_put_string(CBOR_TEXT, text.data, text.value);
        break;
    case OS_RESET:
        cbor_put_head(CBOR_MAP, 0u);
        break;
#if BOARD_HAS_SLOTS
    case OS_BOOTLOADER:
        cbor_put_head(CBOR_MAP, 1u);
        if (request->key != 0) {
            cbor_put_uint_at(request->key, SWAP_USING_OFFSET);
        } else {
            cbor_put_text_at("bootloader", "MCUboot"); /* clients know what they can ask one of this name */
        }
        break;
#endif
    default:
        cbor_put_head(CBOR_MAP, 2u);
        cbor_put_uint_at("buf_size", BOARD_SMP_BUFFER_BYTES);
        cbor_put_uint_at("buf_count", 1u);
        break;
    }
}

static uint32_t stat_group(const struct smp_request *request) {
    struct cbor_item name;
    if (request->operation != SMP_READ || request->command > STAT_LIST) {
        return SMP_UNSUPPORTED;
    }
    if (request->command == STAT_LIST) {
        return SMP_OK;
    }
    if (!cbor_need(&request->map, "name", CBOR_TEXT, &name)) {
        return SMP_INVALID;
    }
    return cbor_equals(&name, statistics) ? SMP_OK : STAT_UNKNOWN;
}

static void put_stat_group(const struct smp_request *request) {
    if (request->command == STAT_LIST) {
        cbor_put_head(CBOR_MAP, 1u);
        cbor_put_text("stat_list");
        cbor_put_head(CBOR_ARRAY, 1u);
        cbor_put_text(statistics);
    } else {
        cbor_put_head(CBOR_MAP, 2u);
        cbor_put_text_at("name", statistics);
        cbor_put_text("fields");
        cbor_put_head(CBOR_MAP, SMP_COUNTERS);
        smp_put_counters();
    }
}

/* Does what the request asks. */
static uint32_t act(struct smp_request *request) {
    if (cbor_find(&request->map, 0, 0) == CBOR_MALFORMED) {
        return SMP_INVALID;
    }
    if (request->operation > SMP_WRITE) {
        return SMP_UNSUPPORTED;
    }
    switch (request->group) {
    case OS_GROUP:
        return os_group(request);
    case STAT_GROUP:
        return stat_group(request);
#if BOARD_HAS_SLOTS
    case SMP_IMAGE_GROUP:
        return smp_image_group(request);
#endif
    case SMP_OWN_GROUP:
        return smp_own_group(request);
    default:
        return SMP_UNSUPPORTED;
    }
}

static void put_answer(const struct smp_request *request, uint32_t version, uint32_t result) {
    if (result != SMP_OK) {
        cbor_put_head(CBOR_MAP, 1u);
        if (result > 0xFFu && version != 0u) {
            cbor_put_text("err");
            cbor_put_head(CBOR_MAP, 2u);
            cbor_put_uint_at("group", request->group);
            result >>= 8;
        }
        cbor_put_uint_at("rc", result & 0xFFu);
    } else if (request->group == OS_GROUP) {
        put_os_group(request);
    } else if (request->group == STAT_GROUP) {
        put_stat_group(request);
#if BOARD_HAS_SLOTS
    } else if (request->group == SMP_IMAGE_GROUP) {
        smp_put_image_group(request);
#endif
    } else if (!smp_put_own_group(request)) {
        cbor_put_head(CBOR_MAP, 1u);
        cbor_put_uint_at(request->key, request->value);
    }
}

static uint32_t measured(const struct smp_request *request, uint32_t version, uint32_t result) {
    smp_frame_measure();
    put_answer(request, version, result);
    return smp_frame_measured();
}

void smp_serve(uint32_t size) {
    uint8_t *const message = smp_frame_message();
    uint32_t version = (uint32_t)message[0] >> 3 & 3u;
    struct smp_request request = {
        .message = message,
        .map = {message + HEADER_BYTES, size - HEADER_BYTES},
        .operation = message[0] & 7u,
        .group = (uint32_t)message[4] << 8 | message[5],
        .command = message[7],
    };
    /* What a request needs to be answered; the message itself may be used up until then. */
    uint8_t header[HEADER_BYTES] = {0u, 0u, 0u, 0u, message[4], message[5], message[6], message[7]};
    uint32_t result;
    counters.packets++;
    if ((request.operation & 1u) != 0u) {
        return; /* an answer, as a line that leads back to itself brings */
    }
    if (version > 1u) {
        version = 1u;
        result = SMP_TOO_NEW;
    } else if (((uint32_t)message[2] << 8 | message[3]) != request.map.size) {
        result = SMP_INVALID;
    } else {
        result = act(&request);
    }
    uint32_t length = measured(&request, version, result);
    if (length > SMP_MESSAGE_BYTES - HEADER_BYTES) {
        result = SMP_TOO_LONG;
        length = measured(&request, version, result);
    }
    if (result != SMP_OK) {
        counters.refused++;
    }
    header[0] = (uint8_t)(version << 3 | request.operation | 1u);
    header[2] = (uint8_t)(length >> 8);
    header[3] = (uint8_t)length;
    smp_frame_begin(HEADER_BYTES + length);
    cbor_sink(header, HEADER_BYTES);
    put_answer(&request, version, result);
    smp_frame_end();
#if BOARD_HAS_SLOTS
    smp_image_group_after();
#endif
    if (result == SMP_OK && request.group == OS_GROUP && request.command == OS_RESET) {
#if BOARD_HAS_SLOTS
        if (request.value == BOOT_MODE_RECOVERY) {
            smp_ask_recovery();
        }
#endif
        hal_reset();
    }
}
