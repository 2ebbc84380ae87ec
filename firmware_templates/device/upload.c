/*
 * The front of the page that ends a slot says what is done to the slot: a block that names the
 * file, or an erase, and behind it a list of records. A record is a code word v | ~v << 16, written once: no
 * write and no erase that is cut leaves a valid one that was not there. Records that are torn are skipped.
 *
 * Only one page is ever in work, the one behind those that are finished. After a reset it is erased whatever
 * it reads, because cells whose erase was cut may only seem blank; every other page is what it reads. Where
 * a reset found the work, it notes so before it does anything: a torn record may read differently later, and
 * then the list must tell the same story.
 */
#include "upload.h"

#include <string.h>

#include "crc32.h"
#include "flash.h"
#include "image.h"
#include "sha256.h"
#include "slots.h"

#define HEADER_BYTES 32u
#define BATCH 16u /* words that are written together */

#define MAGIC_UPLOAD 0x4C505554u
#define MAGIC_ERASE 0x53524554u

struct block {
    uint32_t magic;
    uint32_t size; /* of the file, or of the area */
    uint32_t told; /* 1: a SHA-256 was */
    uint8_t sha[UPLOAD_SHA_BYTES];
    uint32_t crc; /* of all before */
};
#define BLOCK_WORDS (sizeof(struct block) / 4u)
/* Offsets in that page. */
#define DEAD (4u * BLOCK_WORDS) /* not blank: the block counts no more */
#define FIRST_RECORD 64u
#define END_OF_RECORDS (SLOT_PAGE_BYTES - 128u) /* the bootloaders' fields are behind */

/* Records: a page is finished, or the work goes on at this page. */
#define FINISHED 0xA000u
#define RESUMED 0x5000u
#define PAGE_BITS 0x0FFFu

static struct {
    const struct upload_place *place;
    struct block block;    /* magic 0: nothing */
    uint32_t known;        /* flash was asked since the start of the chip */
    uint32_t unsettled;    /* and the page in work is still as it was found */
    uint32_t offset;       /* bytes that were taken */
    uint32_t written;      /* and those in flash: whole words until the end */
    uint32_t next_record;  /* its address */
    const uint8_t *data;   /* taken, not written */
    uint32_t left;
    uint32_t word;         /* the 0 to 3 bytes behind `written` that fill no word yet */
    uint32_t fault;        /* found after an answer */
    enum upload_match match;
} upload;

/*
 * Writes words and looks whether they are there. Words that are all blank are not written: a page of such words
 * is not erased before the next upload, which would write them once more.
 */
static uint32_t write_checked(uint32_t address, const uint32_t *words, uint32_t count) {
    uint32_t different = 0u, all = FLASH_BLANK;
    for (uint32_t i = 0u; i < count; i++) {
        all &= words[i];
    }
    if (all != FLASH_BLANK) {
        flash_write(address, words, count);
    }
    for (uint32_t i = 0u; i < count; i++) {
        different |= flash_word(address + 4u * i) ^ words[i];
    }
    return different == 0u;
}

static uint32_t page_is_blank(uint32_t page) {
    uint32_t all = FLASH_BLANK;
    for (uint32_t at = page; at < page + SLOT_PAGE_BYTES; at += 4u) {
        all &= flash_word(at);
    }
    return all == FLASH_BLANK;
}

/* Adds a record. Returns 0 when there is no room left. */
static uint32_t record(uint32_t kind, uint32_t page) {
    const uint32_t word = code_word(kind | page);
    while (upload.next_record < upload.place->trailer + END_OF_RECORDS) {
        const uint32_t address = upload.next_record;
        upload.next_record += 4u;
        if (write_checked(address, &word, 1u)) {
            return 1u;
        }
    }
    return 0u;
}

/* Reads the list: how many pages are finished, and where the next record goes. */
static uint32_t read_records(const struct upload_place *place, uint32_t *next_record) {
    uint32_t finished = 0u;
    *next_record = place->trailer + FIRST_RECORD;
    for (uint32_t at = *next_record; at < place->trailer + END_OF_RECORDS; at += 4u) {
        const uint32_t word = flash_word(at);
        const uint32_t page = word & PAGE_BITS;
        if (word != FLASH_BLANK) {
            *next_record = at + 4u;
        }
        if (word == code_word(FINISHED | page) && page == finished) {
            finished++;
        } else if (word == code_word(RESUMED | page)) {
            finished = page;
        }
    }
    return finished;
}

static uint32_t read_block(const struct upload_place *place, struct block *block) {
    uint32_t words[BLOCK_WORDS];
    for (uint32_t i = 0u; i < BLOCK_WORDS; i++) {
        words[i] = flash_word(place->trailer + 4u * i);
    }
    memcpy(block, words, sizeof words);
    if ((block->magic != MAGIC_UPLOAD && block->magic != MAGIC_ERASE) ||
        flash_word(place->trailer + DEAD) != FLASH_BLANK || block->size == 0u || block->size > place->capacity ||
        block->crc != crc32(0u, block, sizeof *block - 4u)) {
        block->magic = 0u;
    }
    return block->magic;
}

static void open_at(uint32_t page) {
    const uint32_t offset = page * SLOT_PAGE_BYTES;
    upload.offset = offset < upload.block.size ? offset : upload.block.size;
    upload.written = upload.offset;
    upload.left = 0u;
    upload.match = UPLOAD_OPEN;
}

/* The block in flash counts no more, also when the erase that follows is cut. */
static void kill_block(void) {
    static const uint32_t dead = 0u;
    const uint32_t trailer = upload.place->trailer;
    if (flash_word(trailer) != FLASH_BLANK && flash_word(trailer + DEAD) == FLASH_BLANK) {
        flash_write(trailer + DEAD, &dead, 1u);
    }
}

/* Asks flash, once, what an earlier start of the chip left. */
static void look(void) {
    if (!upload.known) {
        upload.known = 1u;
        const uint32_t found = read_block(upload.place, &upload.block);
        open_at(found ? read_records(upload.place, &upload.next_record) : 0u);
        upload.unsettled = upload.block.magic != 0u && upload.written < upload.block.size;
    }
}

/* The same for those who are going to change flash. */
static void settle(void) {
    look();
    if (upload.unsettled) {
        const uint32_t noted = record(RESUMED, upload.written / SLOT_PAGE_BYTES);
        flash_erase(upload.place->image + upload.written);
        upload.unsettled = 0u;
        if (!noted) {
            kill_block(); /* the list is full: from the beginning */
            upload.block.magic = 0u;
        }
    }
}

/* Writes the block that is prepared to a page that is erased now, and with it all that was said before. */
static uint32_t write_block(void) {
    uint32_t words[BLOCK_WORDS];
    kill_block();
    upload.block.crc = crc32(0u, &upload.block, sizeof upload.block - 4u);
    memcpy(words, &upload.block, sizeof words);
    flash_erase(upload.place->trailer);
    upload.next_record = upload.place->trailer + FIRST_RECORD;
    if (!write_checked(upload.place->trailer, words, BLOCK_WORDS)) {
        upload.block.magic = 0u;
        return IMAGE_ERROR_WRITE;
    }
    return IMAGE_ERROR_NONE;
}

static uint32_t start(uint32_t magic, uint32_t size, const uint8_t *sha) {
    const uint32_t before = upload.place->before;
    /* After a swap it may hold the head of an old image, which another bootloader would take for an upload. */
    if (before != 0u && flash_word(before) != FLASH_BLANK) {
        flash_erase(before);
    }
    memset(&upload.block, 0, sizeof upload.block);
    upload.block.magic = magic;
    upload.block.size = size;
    if (sha != 0) {
        upload.block.told = 1u;
        memcpy(upload.block.sha, sha, UPLOAD_SHA_BYTES);
    }
    open_at(0u);
    return write_block();
}

/* Moves the next word out of the data, as far as it goes; the last one of the file is filled up. */
static uint32_t take_word(uint32_t *word) {
    const uint32_t last = upload.offset == upload.block.size;
    uint32_t held = upload.offset - upload.left - upload.written;
    for (; held < 4u && upload.left > 0u; held++, upload.left--) {
        upload.word = (upload.word & ~(0xFFu << 8u * held)) | (uint32_t)*upload.data++ << 8u * held;
    }
    if (held == 0u || (held < 4u && !last)) {
        return 0u;
    }
    *word = held < 4u ? upload.word | FLASH_BLANK << 8u * held : upload.word;
    upload.written += held;
    return 1u;
}

/* The page that begins at `written` must be blank. */
static void prepare_page(void) {
    const uint32_t page = upload.place->image + upload.written;
    if (!page_is_blank(page)) {
        flash_erase(page);
        if (!page_is_blank(page)) {
            upload.fault = IMAGE_ERROR_ERASE;
        }
    }
}

void upload_write(void) {
    uint32_t words[BATCH];
    while (upload.left > 0u && !upload.fault) {
        const uint32_t from = upload.written;
        uint32_t count = 0u;
        if (from % SLOT_PAGE_BYTES == 0u) {
            prepare_page();
        }
        /* A batch ends with its page, because a page is a whole number of batches. */
        while (count < BATCH && from / (4u * BATCH) == upload.written / (4u * BATCH) && take_word(words + count)) {
            count++;
        }
        if (upload.fault || count == 0u) {
            continue;
        }
        if (!write_checked(upload.place->image + from, words, count)) {
            upload.fault = IMAGE_ERROR_WRITE;
        } else if (upload.written % SLOT_PAGE_BYTES == 0u || upload.written == upload.block.size) {
            if (!record(FINISHED, from / SLOT_PAGE_BYTES)) {
                upload.fault = IMAGE_ERROR_WRITE;
            }
        }
    }
}

/* What went wrong since the last answer. The upload goes on with what flash says then. */
static uint32_t take_fault(void) {
    const uint32_t fault = upload.fault;
    if (fault) {
        upload.fault = 0u;
        upload.left = 0u;
        upload.known = 0u;
    }
    return fault;
}

static void hash_file(void) {
    uint8_t digest[SHA256_BYTES];
    struct sha256 hash;
    if (!upload.block.told) {
        upload.match = UPLOAD_UNTOLD;
        return;
    }
    sha256_init(&hash);
    sha256_update(&hash, flash_at(upload.place->image), upload.block.size);
    sha256_final(&hash, digest);
    upload.match = memcmp(digest, upload.block.sha, sizeof digest) == 0 ? UPLOAD_MATCHES : UPLOAD_DIFFERS;
    if (upload.match == UPLOAD_DIFFERS) {
        kill_block(); /* the same file has to come again from its beginning */
    }
}

static uint32_t check_first(const struct upload_chunk *chunk) {
    if (chunk->size < HEADER_BYTES) {
        return IMAGE_ERROR_HEADER;
    }
    const uint8_t *const head = chunk->data;
    if (((uint32_t)head[3] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[1] << 8 | head[0]) != IMAGE_MAGIC) {
        return IMAGE_ERROR_HEADER_MAGIC;
    }
    if (chunk->length == UPLOAD_NO_LENGTH) {
        return IMAGE_ERROR_LENGTH;
    }
    if (chunk->length > upload.place->capacity) {
        return IMAGE_ERROR_TOO_LARGE;
    }
    return chunk->size > chunk->length ? IMAGE_ERROR_OVERRUN : IMAGE_ERROR_NONE;
}

/* Whether the block is that of the file that is about to come. */
static uint32_t is_known(const struct upload_chunk *chunk) {
    return upload.block.magic == MAGIC_UPLOAD && upload.match != UPLOAD_DIFFERS && upload.block.told &&
           chunk->sha != 0 && chunk->length == upload.block.size &&
           memcmp(chunk->sha, upload.block.sha, UPLOAD_SHA_BYTES) == 0;
}

void upload_select(const struct upload_place *place) {
    if (place != upload.place) {
        upload_write();
        memset(&upload, 0, sizeof upload);
        upload.place = place;
    }
}

const struct upload_place *upload_selected(void) {
    return upload.place;
}

uint32_t upload_take(const struct upload_chunk *chunk) {
    uint32_t fault = take_fault();
    if (fault) {
        return fault;
    }
    if (chunk->offset == 0u) {
        fault = check_first(chunk);
        if (fault) {
            return fault;
        }
    }
    settle();
    if (chunk->offset == 0u && !is_known(chunk)) {
        fault = start(MAGIC_UPLOAD, chunk->length, chunk->sha);
        if (fault) {
            return fault;
        }
    }
    if (upload.block.magic != MAGIC_UPLOAD) {
        upload.offset = 0u;
        return IMAGE_ERROR_NONE;
    }
    if (chunk->offset == upload.offset && upload.offset < upload.block.size) {
        if (chunk->size > upload.block.size - upload.offset) {
            return IMAGE_ERROR_OVERRUN;
        }
        upload.data = chunk->data;
        upload.left = chunk->size;
        upload.offset += chunk->size;
    }
    if (upload.offset == upload.block.size && upload.match == UPLOAD_OPEN) {
        upload_write();
        fault = take_fault();
        if (fault) {
            return fault;
        }
        hash_file();
    }
    return IMAGE_ERROR_NONE;
}

uint32_t upload_offset(void) {
    return upload.offset;
}

enum upload_match upload_match(void) {
    return upload.match;
}

uint32_t upload_unfinished(const struct upload_place *place) {
    struct block block;
    uint32_t next_record;
    if (place == upload.place) {
        look();
        return upload.block.magic != 0u && upload.written < upload.block.size;
    }
    return read_block(place, &block) && read_records(place, &next_record) * SLOT_PAGE_BYTES < block.size;
}

uint32_t upload_erase(void) {
    (void)take_fault();
    settle();
    uint32_t fault = start(MAGIC_ERASE, upload.place->capacity, 0);
    while (!fault && upload.written < upload.place->capacity) {
        const uint32_t page = upload.written / SLOT_PAGE_BYTES;
        prepare_page();
        fault = upload.fault;
        if (!fault && !record(FINISHED, page)) {
            fault = IMAGE_ERROR_WRITE;
        }
        upload.written += SLOT_PAGE_BYTES;
    }
    if (!fault) {
        kill_block();
        flash_erase(upload.place->trailer);
    }
    upload.fault = 0u;
    upload.known = 0u;
    return fault;
}

void upload_clear_request(void) {
    settle();
    const uint32_t last = upload.written == upload.block.size ? SLOT_PAGE_BYTES - 1u : 0u;
    const uint32_t finished = (upload.written + last) / SLOT_PAGE_BYTES;
    if (upload.block.magic == 0u || upload.match == UPLOAD_DIFFERS) {
        flash_erase(upload.place->trailer);
    } else if (write_block() == IMAGE_ERROR_NONE) {
        (void)record(RESUMED, finished);
    }
}
