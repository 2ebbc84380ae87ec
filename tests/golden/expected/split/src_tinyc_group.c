/*
 * What the model in the slot offers over SMP: group 64. Generated, do not edit.
 */
#include <stdint.h>
#include <string.h>

#include "board.h"
#include "boot_info.h"
#include "cbor.h"
#include "hal.h"
#include "identity.h"
#include "model.h"
#include "model_firmware.h"
#include "retained.h"
#include "smp.h"

#define PROTOCOL_VERSION 2u
#define MAX_PROFILE 64u

enum command {
    HELLO = 0,
    INPUT = 1,
    INVOKE = 2,
    OUTPUT = 3,
    PROFILE = 4,
    COUNTERS = 5,
    ARENA = 6,
    AUDIO = 7,
    TEXT = 8,
    KERNELS = 9
};

#define MALFORMED SMP_GROUP_ERROR(2u, SMP_INVALID)
#define OUT_OF_RANGE SMP_GROUP_ERROR(3u, SMP_INVALID)
#define NO_MODEL SMP_GROUP_ERROR(4u, SMP_NO_ENTRY)

/* Laid out by the linker script. */
extern const uint8_t linker_ram_end[], linker_ram_limit[];

static const uint8_t firmware_digest[32] = {TINYC_FIRMWARE_DIGEST};
static const char board_name[] = "nrf52840";
static const char tinyc_version[] = "0.1.0";
static const uint8_t kernel_set[TINYC_DIGEST_BYTES] = {MODEL_KERNEL_SET};
static const uint8_t front_end[TINYC_DIGEST_BYTES] = {MODEL_FRONT_END_DIGEST};

/* The number that must be under `key`. */
static uint32_t number(const struct smp_request *request, const char *key, uint32_t *value) {
    struct cbor_item item;
    if (!cbor_need(&request->map, key, CBOR_UINT, &item)) {
        return 0u;
    }
    *value = item.value;
    return 1u;
}

/*
 * Bytes of tensors that count one after the other: copies them from `data` into the arena, or sends them
 * where there is none. They must be there.
 */
static void move_part(const struct tensor_place *place, uint32_t offset, uint32_t size, const uint8_t *data) {
    for (; size > 0u; place++) {
        if (offset >= place->size) {
            offset -= place->size;
            continue;
        }
        uint8_t *const there = model_arena() + place->offset + offset;
        const uint32_t room = place->size - offset;
        const uint32_t part = size < room ? size : room;
        if (data != 0) {
            memcpy(there, data, part);
            data += part;
        } else {
            cbor_sink(there, part);
        }
        size -= part;
        offset = 0u;
    }
}

/* Writes `data` at `off`, reads `len` bytes from there on: of so many that these places have. */
static uint32_t serve_part(struct smp_request *request, const struct tensor_place *places, uint32_t bytes) {
    const uint32_t writes = request->operation == SMP_WRITE;
    struct cbor_item data;
    uint32_t offset;
    if (!number(request, "off", &offset) ||
        !cbor_need(&request->map, writes ? "data" : "len", writes ? CBOR_BYTES : CBOR_UINT, &data)) {
        return MALFORMED;
    }
    if (data.value > bytes || offset > bytes - data.value) {
        return OUT_OF_RANGE;
    }
    request->value = offset;
    request->length = data.value;
    if (writes) {
        move_part(places, offset, data.value, data.data);
        request->key = "off";
        request->value += data.value;
    }
    return SMP_OK;
}

/* Digests of kernels from byte `off` on: `len` of them, or as many as there are. */
static uint32_t serve_kernels(struct smp_request *request) {
    const uint32_t bytes = MODEL_KERNEL_COUNT * TINYC_DIGEST_BYTES;
    uint32_t offset, length;
    if (!number(request, "off", &offset) || !number(request, "len", &length)) {
        return MALFORMED;
    }
    if (offset > bytes) {
        return OUT_OF_RANGE;
    }
    request->value = offset;
    request->length = length < bytes - offset ? length : bytes - offset;
    return SMP_OK;
}

static uint32_t invoke(struct smp_request *request) {
    const uint32_t before = hal_cycles();
    model_invoke();
    request->key = "cycles";
    request->value = hal_cycles() - before;
    smp_count_invocation();
    return SMP_OK;
}

/* The cycles of each layer are kept where the request was. */
static uint32_t profile(struct smp_request *request) {
    uint32_t *const cycles = (uint32_t *)(void *)request->message;
    uint32_t first, count;
    if (!number(request, "first", &first) || !number(request, "count", &count)) {
        return MALFORMED;
    }
    const uint32_t layers = tinyc_model_active()->layer_count;
    if (count > MAX_PROFILE || first > layers || count > layers - first) {
        return OUT_OF_RANGE;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t before = hal_cycles();
        model_run_layer(first + i);
        cycles[i] = hal_cycles() - before;
    }
    request->value = first;
    request->length = count;
    return SMP_OK;
}

uint32_t smp_may_upload(void) {
    return retained_confirmed();
}

uint32_t smp_own_group(struct smp_request *request) {
    const uint32_t reads = request->operation == SMP_READ;
    const uint32_t writes = request->operation == SMP_WRITE;
    const struct tinyc_model *const model = tinyc_model_active();
    if (model == 0 && request->command != HELLO && request->command != COUNTERS &&
        request->command != KERNELS) {
        return NO_MODEL;
    }
    switch (request->command) {
    case HELLO:
    case COUNTERS:
        return reads ? SMP_OK : SMP_UNSUPPORTED;
    case INPUT:
        return writes ? serve_part(request, model->inputs, model->input_bytes) : SMP_UNSUPPORTED;
    case INVOKE:
        return writes ? invoke(request) : SMP_UNSUPPORTED;
    case OUTPUT:
        return reads ? serve_part(request, model->outputs, model->output_bytes) : SMP_UNSUPPORTED;
    case PROFILE:
        return writes ? profile(request) : SMP_UNSUPPORTED;
    case ARENA:
        return serve_part(request, &model->arena, model->arena.size);
    case KERNELS:
        return reads ? serve_kernels(request) : SMP_UNSUPPORTED;
    default:
        return SMP_UNSUPPORTED;
    }
}

static void put_places(const char *key, const struct tensor_place *places, uint32_t count) {
    cbor_put_text(key);
    cbor_put_head(CBOR_ARRAY, count);
    for (uint32_t i = 0; i < count; i++) {
        cbor_put_head(CBOR_ARRAY, 2u);
        cbor_put_uint(places[i].offset);
        cbor_put_uint(places[i].size);
    }
}

/* For each slot why its model does not run, and the two things that should be equal. */
static void put_refusals(void) {
    cbor_put_text("refused");
    cbor_put_head(CBOR_ARRAY, 2u);
    for (uint32_t slot = 0; slot < 2u; slot++) {
        const struct model_refusal *const refusal = model_refusal(slot);
        cbor_put_head(CBOR_ARRAY, 3u);
        cbor_put_uint(refusal->fault);
        cbor_put_string(CBOR_BYTES, refusal->wanted, refusal->bytes);
        cbor_put_string(CBOR_BYTES, refusal->there, refusal->bytes);
    }
}

static void put_hello(void) {
    uint8_t chip[8];
    hal_device_id(chip);
    static const struct tinyc_model none;
    const struct tinyc_model *const active = tinyc_model_active();
    const struct tinyc_model *const model = active != 0 ? active : &none;
    cbor_put_head(CBOR_MAP, 19u + BOOT_INFO_ENTRIES);
    cbor_put_uint_at("proto", PROTOCOL_VERSION);
    cbor_put_text_at("board", board_name);
    cbor_put_bytes_at("chip", chip, sizeof chip);
    cbor_put_bytes_at("firmware", firmware_digest, sizeof firmware_digest);
    cbor_put_bytes_at("model", model->digest, 32u);
    cbor_put_text("name");
    cbor_put_string(CBOR_TEXT, model->name, model->name_bytes);
    cbor_put_text("version");
    cbor_put_string(CBOR_TEXT, model->version, model->version_bytes);
    cbor_put_text_at("tinyc", tinyc_version);
    cbor_put_uint_at("clock", BOARD_CLOCK_HZ);
    cbor_put_uint_at("arena", model->arena.size);
    cbor_put_uint_at("layers", model->layer_count);
    put_places("inputs", model->inputs, model->input_count);
    put_places("outputs", model->outputs, model->output_count);
    cbor_put_uint_at("capacity", MODEL_ARENA_BYTES);
    cbor_put_uint_at("format", TINYC_MODEL_FORMAT);
    cbor_put_bytes_at("kernels", kernel_set, sizeof kernel_set);
    cbor_put_bytes_at("front", front_end, sizeof front_end);
    put_refusals();
    cbor_put_uint_at("ram", (uint32_t)((uintptr_t)linker_ram_limit - (uintptr_t)linker_ram_end));
    boot_info_put();
}

static void put_part(const struct smp_request *request) {
    cbor_put_head(CBOR_MAP, 2u);
    cbor_put_uint_at("off", request->value);
    cbor_put_text("data");
    cbor_put_head(CBOR_BYTES, request->length);
    const struct tinyc_model *const model = tinyc_model_active();
    if (request->command == KERNELS) {
        cbor_sink(model_kernel_digests[0] + request->value, request->length);
        return;
    }
    move_part(request->command == OUTPUT ? model->outputs : &model->arena, request->value, request->length, 0);
}

static void put_profile(const struct smp_request *request) {
    const uint32_t *const cycles = (const uint32_t *)(const void *)request->message;
    cbor_put_head(CBOR_MAP, 2u);
    cbor_put_uint_at("first", request->value);
    cbor_put_text("cycles");
    cbor_put_head(CBOR_ARRAY, request->length);
    for (uint32_t i = 0; i < request->length; i++) {
        cbor_put_uint(cycles[i]);
    }
}

uint32_t smp_put_own_group(const struct smp_request *request) {
    if (request->key != 0) {
        return 0u;
    }
    switch (request->command) {
    case HELLO:
        put_hello();
        break;
    case PROFILE:
        put_profile(request);
        break;
    case COUNTERS:
        cbor_put_head(CBOR_MAP, SMP_COUNTERS);
        smp_put_counters();
        break;
    default:
        put_part(request);
        break;
    }
    return 1u;
}
