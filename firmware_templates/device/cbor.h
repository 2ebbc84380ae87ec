/*
 * As much CBOR (RFC 8949) as SMP needs: a map with text keys in, maps of numbers and strings out.
 * Nothing is copied and nothing recurses.
 */
#ifndef TINYC_CBOR_H
#define TINYC_CBOR_H

#include <stdint.h>

/* The major types. */
enum cbor_kind {
    CBOR_UINT = 0,
    CBOR_NEGATIVE = 1,
    CBOR_BYTES = 2,
    CBOR_TEXT = 3,
    CBOR_ARRAY = 4,
    CBOR_MAP = 5,
    CBOR_TAG = 6,
    CBOR_SIMPLE = 7
};

/* Values of CBOR_SIMPLE. */
#define CBOR_FALSE 20u
#define CBOR_TRUE 21u

struct cbor_map {
    const uint8_t *data;
    uint32_t size;
};

struct cbor_item {
    uint8_t kind;
    uint8_t open;        /* 1 for a map or array whose end is marked, and for the mark itself */
    uint32_t value;      /* number or length; 0xFFFFFFFF for anything larger, and for floats */
    const uint8_t *data; /* the bytes of a string */
};

enum cbor_found { CBOR_MALFORMED = 0, CBOR_MISSING = 1, CBOR_FOUND = 2 };

/*
 * Looks for the text key `key` of a map that fills all its bytes; none at all count as an empty map.
 * The whole map is checked each time: other values may be anything, nested 4 deep at most. The last of
 * equal keys counts. Without a `key` it only checks, and `value` may be null.
 */
enum cbor_found cbor_find(const struct cbor_map *map, const char *key, struct cbor_item *value);

/* The same for a key that must be there, with a value of this kind. Returns 1 when it is. */
uint32_t cbor_need(const struct cbor_map *map, const char *key, uint8_t kind, struct cbor_item *value);

/* Whether a string is this text. */
uint32_t cbor_equals(const struct cbor_item *item, const char *text);

/* Written by definite lengths and shortest integers. A head stands before what a map or array holds. */
void cbor_put_head(uint8_t kind, uint32_t value);
void cbor_put_string(uint8_t kind, const void *data, uint32_t size);
void cbor_put_text(const char *text);
void cbor_put_uint(uint32_t value);

/* Entries of a map. */
void cbor_put_text_at(const char *key, const char *text);
void cbor_put_uint_at(const char *key, uint32_t value);
void cbor_put_flag_at(const char *key, uint32_t value);
void cbor_put_bytes_at(const char *key, const void *data, uint32_t size);

/* Where the writer's bytes go: whoever sends them has this function. */
void cbor_sink(const uint8_t *data, uint32_t size);

#endif
