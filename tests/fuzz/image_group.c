/*
 * Any requests for the firmware's Image group, by libFuzzer, on a flash in memory that keeps the rules: what is
 * written lies in a slot that is free for it, and no word is written twice. An input says how the chip is found,
 * and then what comes: messages and bytes of the line as they are, requests that are put together here,
 * resets, and flash that a power cut left. Afterwards the server must answer, and tell its slots as they are.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cbor.h"
#include "flash.h"
#include "hal.h"
#include "model_use.h"
#include "planted.h"
#include "slots.h"
#include "smp.h"
#include "smp_frame.h"

/* What the server does is to guide the fuzzer, and not what is done here. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#include "smp_line.h"

#define WORDS (FLASH_BYTES / 4u)
#define BLANK 0xFFFFFFFFu
#define SLOT_SET 0xFFFFFF01u
#define P_END (SLOT_PRIMARY + (SLOT_IMAGE_PAGES + 1u) * SLOT_PAGE_BYTES)
#define S_END (SLOT_SECONDARY + (SLOT_IMAGE_PAGES + 2u) * SLOT_PAGE_BYTES)
#define M_END(slot) (((slot) == 0u ? SLOT_MODEL_0 : SLOT_MODEL_1) + SLOT_MODEL_PAGES * SLOT_PAGE_BYTES)
#define IN(address, begin, end) ((address) - (begin) < (end) - (begin))

/* What is put together here. */
enum step { MESSAGE = 0, LINE = 1, RESET = 2, FOUND = 3, CHUNK = 4, SET_STATE = 5, ERASE = 6, READ_STATE = 7 };

/* Clear the static memory of the C files, as a start of the chip does. */
void restart_smp(void);
void restart_smp_frame(void);
void restart_upload(void);

static uint32_t flash[WORDS];
static uint8_t written[WORDS];
static uint32_t report[16];
static uint32_t resets;

static uint32_t broken;    /* this word reads 0 when it is written, 0 for none */
static uint32_t no_erase;  /* and it stays so */
static uint32_t model, on_trial, refuses;
static uint32_t wanted;    /* the offset that the server told */
static uint32_t foreign;   /* an upload may be of no file that is known here */

static const uint8_t *input;
static uint32_t left;

uint32_t *simulated_report(void) {
    return report;
}

void hal_reset(void) {
    resets++;
}

/* The trailers, read without the code that is tested. */
static uint32_t has_request(uint32_t end) {
    static const uint8_t magic[16] = {0x77, 0xC2, 0x95, 0xF3, 0x60, 0xD2, 0xEF, 0x7F,
                                      0x35, 0x52, 0x50, 0x0F, 0x2C, 0xB6, 0x79, 0x80};
    return memcmp(flash + end / 4u - 4u, magic, sizeof magic) == 0;
}

static uint32_t is_set(uint32_t end) {
    return flash[end / 4u - 6u] == SLOT_SET;
}

static uint32_t is_confirmed(void) {
    const uint32_t *const magic = flash + P_END / 4u - 4u;
    const uint32_t blank = (magic[0] & magic[1] & magic[2] & magic[3]) == BLANK;
    return blank || (has_request(P_END) && is_set(P_END));
}

uint32_t smp_may_upload(void) {
    return is_confirmed();
}

#if SLOT_MODEL_PAGES
static uint32_t is_on_trial(void) {
    return on_trial && !(has_request(M_END(model)) && is_set(M_END(model)));
}

uint32_t model_in_use(void) {
    return model;
}

uint32_t model_on_trial(void) {
    return is_on_trial();
}

uint32_t model_would_run(uint32_t slot) {
    REQUIRE(slot < 2u);
    return !refuses;
}
#endif

/* The slot at an address must be free for changes. */
static void check_place(uint32_t address) {
#if SLOT_MODEL_PAGES
    for (uint32_t slot = 0u; slot < 2u; slot++) {
        if (IN(address, M_END(slot) - SLOT_MODEL_PAGES * SLOT_PAGE_BYTES, M_END(slot))) {
            REQUIRE(slot != model && !is_on_trial() && !has_request(M_END(slot)));
            return;
        }
    }
#endif
    REQUIRE(IN(address, SLOT_SECONDARY, S_END));
    REQUIRE(is_confirmed() && !has_request(S_END));
}

/* Whether it is the word that confirms what runs. */
static uint32_t confirms(uint32_t address, uint32_t word) {
    uint32_t end = P_END;
#if SLOT_MODEL_PAGES
    if (model < 2u && address == M_END(model) - 24u) {
        end = M_END(model);
    }
#endif
    return address == end - 24u && word == SLOT_SET && has_request(end);
}

void flash_write(uint32_t address, const uint32_t *words, uint32_t count) {
    REQUIRE(address % 4u == 0u && count != 0u && address < FLASH_BYTES && count <= (FLASH_BYTES - address) / 4u);
    REQUIRE(address / SLOT_PAGE_BYTES == (address + 4u * count - 1u) / SLOT_PAGE_BYTES);
    if (count != 1u || !confirms(address, words[0])) {
        check_place(address);
        REQUIRE(!IN(address, SLOT_SECONDARY, SLOT_SECONDARY + SLOT_PAGE_BYTES));
    }
    for (uint32_t i = 0u; i < count; i++) {
        const uint32_t word = address / 4u + i;
        REQUIRE((flash[word] == BLANK && !written[word]) || (word == broken && no_erase));
        written[word] = 1u;
        flash[word] = word == broken && broken != 0u ? 0u : words[i];
    }
}

void flash_erase(uint32_t address) {
    REQUIRE(address % SLOT_PAGE_BYTES == 0u && address < FLASH_BYTES);
    check_place(address);
    const uint32_t failed = no_erase && IN(4u * broken, address, address + SLOT_PAGE_BYTES) && flash[broken] == 0u;
    memset(flash + address / 4u, 0xFF, SLOT_PAGE_BYTES);
    memset(written + address / 4u, 0, SLOT_PAGE_BYTES / 4u);
    if (failed) {
        flash[broken] = 0u;
    }
}

uint32_t flash_word(uint32_t address) {
    REQUIRE(address % 4u == 0u && address < FLASH_BYTES);
    return flash[address / 4u];
}

const uint8_t *flash_at(uint32_t address) {
    REQUIRE(address < FLASH_BYTES);
    return (const uint8_t *)flash + address;
}

/* The firmware's own group has one command, a hello. */
uint32_t smp_own_group(struct smp_request *request) {
    request->key = "protocol";
    request->value = 2u;
    return request->operation == SMP_READ && request->command == 0u ? SMP_OK : SMP_UNSUPPORTED;
}

uint32_t smp_put_own_group(const struct smp_request *request) {
    (void)request;
    return 0u;
}

static uint32_t next(void) {
    if (left == 0u) {
        return 0u;
    }
    left--;
    return *input++;
}

static uint32_t next_half(void) {
    const uint32_t low = next();
    return low | next() << 8;
}

/* A start of the chip, with the models as the bootloader may choose them. */
static void restart(uint32_t models) {
    restart_smp();
    restart_smp_frame();
    restart_upload();
    model = models % 3u;
    on_trial = model < 2u && (models & 4u) != 0u;
    refuses = models & 8u;
    resets = 0u;
    wanted = 0u;
}

static void put(uint32_t address, const void *data, uint32_t size) {
    memcpy((uint8_t *)flash + address, data, size);
    for (uint32_t word = address / 4u; word < (address + size + 3u) / 4u; word++) {
        written[word] = flash[word] != BLANK;
    }
}

static void put_request(uint32_t end, uint32_t set) {
    static const uint32_t magic[4] = {0xF395C277u, 0x7FEFD260u, 0x0F505235u, 0x8079B62Cu};
    static const uint32_t set_word = SLOT_SET;
    put(end - 16u, magic, sizeof magic);
    if (set) {
        put(end - 24u, &set_word, 4u);
    }
}

/* Looks at the answer to a message. Returns whether that was refused. */
static uint32_t look_at_answer(void) {
    struct cbor_item item;
    const struct cbor_map map = {answer + 10, (uint32_t)answer[4] << 8 | answer[5]};
    if (cbor_find(&map, "off", &item) == CBOR_FOUND) {
        REQUIRE(item.kind == CBOR_UINT && item.value <= FLASH_BYTES);
        wanted = item.value;
    }
    return cbor_find(&map, "err", &item) == CBOR_FOUND || cbor_find(&map, "rc", &item) == CBOR_FOUND;
}

/* A request that is put together here. */
static uint8_t request[SMP_MESSAGE_BYTES];
static uint32_t request_bytes;

static void begin(uint8_t operation, uint8_t group, uint8_t command, uint8_t entries) {
    const uint8_t head[9] = {(uint8_t)(8u | operation), 0u, 0u, 0u, 0u, group, 7u, command,
                             (uint8_t)(0xA0u | entries)};
    memcpy(request, head, sizeof head);
    request_bytes = sizeof head;
}

static void add(const void *data, uint32_t size) {
    REQUIRE(size <= sizeof request - request_bytes);
    memcpy(request + request_bytes, data, size);
    request_bytes += size;
}

static void add_key(const char *key) {
    const uint8_t head = (uint8_t)(0x60u | strlen(key));
    add(&head, 1u);
    add(key, (uint32_t)strlen(key));
}

static void add_head(uint32_t kind, uint32_t value) {
    const uint8_t head[5] = {(uint8_t)(kind << 5 | 26u), (uint8_t)(value >> 24), (uint8_t)(value >> 16),
                             (uint8_t)(value >> 8), (uint8_t)value};
    add(head, sizeof head);
}

static void add_number(const char *key, uint32_t value) {
    add_key(key);
    add_head(0u, value);
}

static void add_bytes(const char *key, const void *data, uint32_t size) {
    add_key(key);
    add_head(2u, size);
    add(data, size);
}

static uint32_t send(void) {
    request[2] = (uint8_t)((request_bytes - 8u) >> 8);
    request[3] = (uint8_t)(request_bytes - 8u);
    /* The receiver has a fuzzer of its own: these messages go around it. */
    memcpy(smp_frame_message(), request, request_bytes);
    serve(request_bytes);
    return look_at_answer();
}

/* Whether a slot for uploads begins with these bytes. */
static uint32_t lies_somewhere(const uint8_t *data, uint32_t size) {
    uint32_t found = memcmp(flash_at(SLOT_SECONDARY + SLOT_PAGE_BYTES), data, size) == 0;
#if SLOT_MODEL_PAGES
    found |= memcmp(flash_at(SLOT_MODEL_0), data, size) == 0;
    found |= memcmp(flash_at(SLOT_MODEL_1), data, size) == 0;
#endif
    return found;
}

/* Whether a place begins its bookkeeping with an upload of at least so many bytes. */
static uint32_t has_upload(uint32_t end, uint32_t size) {
    const uint32_t *const block = flash + (end - SLOT_PAGE_BYTES) / 4u;
    return block[0] == 0x4C505554u && block[1] >= size;
}

/* The next offset is behind the chunk, where a page begins, or at the end of a file, and within the upload. */
static void check_offset(uint32_t stays, uint32_t behind) {
    uint32_t good = stays || wanted == behind || wanted % SLOT_PAGE_BYTES == 0u || foreign;
    for (uint32_t i = 0u; i < PLANTED; i++) {
        good |= wanted == planted[i].size;
    }
    REQUIRE(good);
    good = stays || wanted == 0u || has_upload(S_END, wanted);
#if SLOT_MODEL_PAGES
    good |= has_upload(M_END(0u), wanted) || has_upload(M_END(1u), wanted);
#endif
    REQUIRE(good);
}

/* A chunk of a file that is planted. */
static void send_chunk(void) {
    struct cbor_item match;
    const struct planted *const file = planted + next() % PLANTED;
    const uint32_t how = next();
    const uint32_t length = 2u * next();
    const uint32_t offset = (how & 16u) != 0u ? next_half() : wanted;
    const uint32_t rest = offset < file->size ? file->size - offset : 0u;
    const uint32_t size = length < rest ? length : rest;
    const uint32_t whole = offset == 0u || (how & 128u) != 0u;
    const uint32_t has_length = whole && (how & 32u) == 0u, has_sha = whole && (how & 1u) != 0u;
    const uint32_t has_image = (how & 4u) != 0u;
    uint8_t sha[32];
    memcpy(sha, file->sha, sizeof sha);
    sha[0] ^= (uint8_t)(how & 2u);
    begin(SMP_WRITE, 1u, 1u, (uint8_t)(2u + has_length + has_sha + has_image));
    add_number("off", offset);
    add_bytes("data", file->data + (size != 0u ? offset : 0u), size);
    if (has_length) {
        add_number("len", file->size);
    }
    if (has_sha) {
        add_bytes("sha", sha, (how & 64u) != 0u ? 31u : 32u);
    }
    if (has_image) {
        add_number("image", how >> 3 & 1u);
    }
    const uint32_t before = wanted;
    const uint32_t refused = send();
    const struct cbor_map map = {answer + 10, (uint32_t)answer[4] << 8 | answer[5]};
    check_offset(refused || wanted == before, offset + size);
    if (cbor_find(&map, "match", &match) == CBOR_FOUND && match.value == CBOR_TRUE && !foreign) {
        uint32_t found = 0u;
        REQUIRE(match.kind == CBOR_SIMPLE && !refused);
        for (uint32_t i = 0u; i < PLANTED; i++) {
            found |= lies_somewhere(planted[i].data, planted[i].size);
        }
        REQUIRE(found);
    }
    if (offset == 0u && has_sha && !refused && wanted != 0u) {
        REQUIRE((how & 64u) == 0u && size >= 32u);
    }
}

/* Asks for a planted image, or confirms one. */
static void set_state(void) {
    const uint32_t how = next();
    const struct planted *const file = planted + (how & 15u) % PLANTED;
    uint8_t hash[32];
    memcpy(hash, file->hash, sizeof hash);
    hash[31] ^= (uint8_t)(how & 16u);
    const uint32_t has_hash = (how & 128u) == 0u, confirm = (how & 64u) != 0u;
    begin(SMP_WRITE, 1u, 0u, (uint8_t)(has_hash + 1u));
    if (has_hash) {
        add_bytes("hash", hash, sizeof hash);
    }
    add_key("confirm");
    add(confirm ? "\xF5" : "\xF4", 1u);
    const uint32_t refused = send();
    if (!refused && !confirm) {
        uint32_t asked = has_request(S_END);
#if SLOT_MODEL_PAGES
        asked |= has_request(M_END(0u)) || has_request(M_END(1u));
#endif
        /* What was asked for already is not hashed again: changes that were found stay unseen. */
        REQUIRE(has_hash && asked && (foreign || lies_somewhere(file->data, file->covered)));
    }
}

/* Reads a head of CBOR, in the shortest form alone. */
static uint32_t head(const uint8_t **at, const uint8_t *end, uint32_t kind) {
    REQUIRE(*at < end && **at >> 5 == kind);
    uint32_t value = *(*at)++ & 31u;
    if (value >= 24u) {
        const uint32_t bytes = 1u << (value - 24u);
        REQUIRE(bytes <= 4u && bytes <= (uint32_t)(end - *at));
        value = 0u;
        for (uint32_t i = 0u; i < bytes; i++) {
            value = value << 8 | *(*at)++;
        }
        REQUIRE(value >= (bytes == 1u ? 24u : bytes == 2u ? 256u : 65536u));
    }
    return value;
}

static void expect_key(const uint8_t **at, const uint8_t *end, const char *key) {
    const uint32_t size = head(at, end, 3u);
    REQUIRE(size == strlen(key) && size <= (uint32_t)(end - *at) && memcmp(*at, key, size) == 0);
    *at += size;
}

static uint32_t expect_flag(const uint8_t **at, const uint8_t *end, const char *key) {
    expect_key(at, end, key);
    const uint32_t value = head(at, end, 7u);
    REQUIRE(value == CBOR_FALSE || value == CBOR_TRUE);
    return value == CBOR_TRUE;
}

/* One slot of the answer. Returns its number among all slots. */
static uint32_t check_slot(const uint8_t **at, const uint8_t *end) {
    const uint32_t is_model = head(at, end, 5u) == 9u;
    if (is_model) {
        expect_key(at, end, "image");
        REQUIRE(SLOT_MODEL_PAGES != 0u && head(at, end, 0u) == 1u);
    }
    expect_key(at, end, "slot");
    const uint32_t slot = head(at, end, 0u);
    REQUIRE(slot < 2u);
    expect_key(at, end, "version");
    const uint32_t text = head(at, end, 3u);
    REQUIRE(text >= 5u && text <= 24u && text <= (uint32_t)(end - *at));
    *at += text;
    expect_key(at, end, "hash");
    REQUIRE(head(at, end, 2u) == 32u && end - *at >= 32);
    *at += 32u;
    const uint32_t bootable = expect_flag(at, end, "bootable"), pending = expect_flag(at, end, "pending");
    const uint32_t confirmed = expect_flag(at, end, "confirmed"), active = expect_flag(at, end, "active");
    const uint32_t permanent = expect_flag(at, end, "permanent");
    (void)bootable;
#if SLOT_MODEL_PAGES
    if (is_model) {
        const uint32_t free = slot != model && !is_on_trial(), asked = has_request(M_END(slot));
        REQUIRE(active == (slot == model && !refuses) && pending == (free && asked));
        REQUIRE(permanent == (pending && is_set(M_END(slot))));
        REQUIRE(confirmed == (model < 2u && (slot == model) != is_on_trial()));
        return 2u + slot;
    }
#endif
    REQUIRE(active == (slot == 0u) && pending == (slot == 1u && has_request(S_END)));
    REQUIRE(permanent == (pending && is_set(S_END)) && confirmed == (slot == 0u && is_confirmed()));
    return slot;
}

/* Reads the state, which must be that of the flash. */
static void check_state(void) {
    uint32_t last = 0u;
    begin(SMP_READ, 1u, 0u, 0u);
    REQUIRE(!send());
    const uint8_t *at = answer + 10;
    const uint8_t *const end = at + ((uint32_t)answer[4] << 8 | answer[5]);
    REQUIRE(head(&at, end, 5u) == 1u);
    expect_key(&at, end, "images");
    for (uint32_t count = head(&at, end, 4u); count > 0u; count--) {
        const uint32_t slot = check_slot(&at, end) + 1u;
        REQUIRE(slot > last);
        last = slot;
    }
    REQUIRE(at == end);
}

/* The CRC-32 of a block of the upload's bookkeeping. */
static uint32_t crc32_of(const uint8_t *data, uint32_t size) {
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0u; i < 8u * size; i++) {
        crc = crc >> 1 ^ ((((crc ^ (uint32_t)(data[i / 8u] >> i % 8u)) & 1u) != 0u) ? 0xEDB88320u : 0u);
    }
    return ~crc;
}

/* Some of flash is other at the next start: a planted file, or bytes; the block of a trailer may have its CRC. */
static void find_flash(uint32_t has_crc, uint32_t is_file) {
    const uint32_t page = next() % (FLASH_BYTES / SLOT_PAGE_BYTES) * SLOT_PAGE_BYTES;
    foreign = 1u;
    if (is_file) {
        const struct planted *const file = planted + next() % PLANTED;
        put(page, file->data, file->size < FLASH_BYTES - page ? file->size : FLASH_BYTES - page);
        return;
    }
    const uint32_t offset = next() % SLOT_PAGE_BYTES;
    uint32_t size = next();
    size = size < left ? size : left;
    size = size < SLOT_PAGE_BYTES - offset ? size : SLOT_PAGE_BYTES - offset;
    put(page + offset, input, size);
    input += size;
    left -= size;
    if (has_crc) {
        const uint32_t crc = crc32_of(flash_at(page), 44u);
        put(page + 44u, &crc, 4u);
    }
}

static void send_message(uint32_t keeps_length) {
    static uint8_t message[SMP_MESSAGE_BYTES];
    uint32_t size = next_half() % (sizeof message + 1u);
    size = size < left ? size : left;
    if (size < 8u) {
        return;
    }
    memcpy(message, input, size);
    input += size;
    left -= size;
    if (!keeps_length) {
        message[2] = (uint8_t)((size - 8u) >> 8);
        message[3] = (uint8_t)(size - 8u);
    }
    foreign = 1u;
    REQUIRE(feed_message(message, size) == size);
    if ((message[0] & 1u) == 0u) {
        (void)look_at_answer();
    }
}

static void send_bytes(void) {
    uint32_t size = next_half();
    size = size < left ? size : left;
    foreign = 1u;
    for (; size > 0u; size--) {
        (void)feed((uint8_t)next());
        if (resets != 0u) {
            return;
        }
    }
}

static void do_step(uint32_t *models) {
    const uint32_t step = next();
    switch (step & 7u) {
    case MESSAGE:
        send_message(step & 8u);
        break;
    case LINE:
        send_bytes();
        break;
    case RESET:
        *models = next();
        resets = 1u;
        break;
    case FOUND:
        find_flash(step & 8u, step & 16u);
        resets = 1u;
        break;
    case CHUNK:
        send_chunk();
        break;
    case SET_STATE:
        set_state();
        break;
    case ERASE:
        begin(SMP_WRITE, 1u, 5u, (step & 8u) != 0u);
        if ((step & 8u) != 0u) {
            add_number("slot", next() % 5u);
        }
        (void)send();
        break;
    default:
        check_state();
        break;
    }
    if (resets != 0u) {
        restart(*models);
    }
}

/* The chip as it is found: nothing is kept from the input before. */
static void set_up(uint32_t *models) {
    const uint32_t how = next();
    *models = next();
    memset(flash, 0xFF, sizeof flash);
    memset(written, 0, sizeof written);
    memset(report, 0, sizeof report);
    foreign = 0u;
    if ((how & 1u) != 0u) {
        put(SLOT_PRIMARY, planted[0].data, planted[0].size);
    }
    if ((how & 2u) != 0u) {
        put_request(P_END, how & 4u);
    }
#if SLOT_MODEL_PAGES
    if ((how & 8u) != 0u) {
        put(SLOT_MODEL_0, planted[PLANTED_MODEL_0].data, planted[PLANTED_MODEL_0].size);
    }
    if ((how & 16u) != 0u) {
        put(SLOT_MODEL_1, planted[PLANTED_MODEL_1].data, planted[PLANTED_MODEL_1].size);
    }
    if ((how & 32u) != 0u && *models % 3u < 2u) {
        put_request(M_END(*models % 3u), how & 4u);
    }
#endif
    broken = (how & 64u) != 0u ? next_half() % WORDS : 0u;
    no_erase = broken != 0u && (how & 128u) != 0u;
    restart(*models);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t ping[] = {0x0A, 0, 0, 5, 0, 0, 9, 0, 0xA1, 0x61, 'd', 0x61, 'p'};
    uint32_t models;
    input = data;
    left = (uint32_t)size;
    set_up(&models);
    for (uint32_t steps = 0u; steps < 32u && left != 0u; steps++) {
        do_step(&models);
    }
    REQUIRE(feed_message(ping, sizeof ping) == sizeof ping && take_answer() == sizeof ping);
    REQUIRE(memcmp(answer + 10, "\xA1\x61r\x61p", 5u) == 0);
    begin(SMP_READ, 64u, 0u, 0u);
    REQUIRE(!send() && memcmp(answer + 10, "\xA1\x68protocol\x02", 11u) == 0);
    check_state();
    return 0;
}

#pragma clang attribute pop
