/*
 * Reader and writer of CBOR. The reader keeps, for each map or array that is open, how many items are
 * still to come.
 */
#include "cbor.h"

/* The map itself and 4 levels inside it. */
#define LEVELS 5u

/* In place of a count, where the end is marked: bit 0 says that a map's key has no value yet. A real
 * count is never as large, because each item takes a byte. */
#define OPEN_ARRAY 0x40000000u
#define OPEN_MAP 0xC0000000u
#define OPEN_ANY 0x40000000u

/* Reads what begins an item. Returns where it ends, null for what CBOR does not allow. */
static const uint8_t *read_head(const uint8_t *at, const uint8_t *end, struct cbor_item *item) {
    if (at == end) {
        return 0;
    }
    const uint32_t kind = (uint32_t)*at >> 5;
    uint32_t value = *at++ & 31u;
    item->kind = (uint8_t)kind;
    item->open = 0u;
    if (value == 31u) {
        item->open = 1u;
        if (kind != CBOR_ARRAY && kind != CBOR_MAP && kind != CBOR_SIMPLE) {
            return 0; /* strings in pieces among them */
        }
    } else if (value > 27u) {
        return 0;
    } else if (value >= 24u) {
        const uint32_t more = 1u << (value - 24u);
        uint32_t lost = 0u;
        if (more > (uint32_t)(end - at)) {
            return 0;
        }
        value = 0u;
        for (uint32_t i = 0; i < more; i++) {
            lost |= value >> 24;
            value = value << 8 | *at++;
        }
        if (kind == CBOR_SIMPLE) {
            if (more == 1u && value < 32u) {
                return 0; /* these have a shorter form, and only that */
            }
            lost = 1u;
        }
        if (lost != 0u) {
            value = 0xFFFFFFFFu;
        }
    }
    item->value = value;
    item->data = at;
    return at;
}

/* Items that a map, array or tag holds, 0xFFFFFFFF for more than the `room` bytes behind it. */
static uint32_t items_of(const struct cbor_item *item, uint32_t room) {
    if (item->kind == CBOR_TAG) {
        return 1u;
    }
    if (item->open) {
        return item->kind == CBOR_MAP ? OPEN_MAP : OPEN_ARRAY;
    }
    if (item->value > room) {
        return 0xFFFFFFFFu;
    }
    return item->kind == CBOR_MAP ? 2u * item->value : item->value;
}

enum cbor_found cbor_find(const struct cbor_map *map, const char *key, struct cbor_item *value) {
    const uint8_t *const end = map->data + map->size;
    uint32_t left[LEVELS];
    uint32_t level = 0u;
    uint32_t matches = 0u;
    enum cbor_found found = CBOR_MISSING;
    struct cbor_item item;
    if (map->size == 0u) {
        return CBOR_MISSING;
    }
    const uint8_t *at = read_head(map->data, end, &item);
    if (at == 0 || item.kind != CBOR_MAP) {
        return CBOR_MALFORMED;
    }
    left[0] = items_of(&item, (uint32_t)(end - at));
    if (left[0] == 0xFFFFFFFFu) {
        return CBOR_MALFORMED;
    }
    for (;;) {
        while (left[level] == 0u) {
            if (level == 0u) {
                return at == end ? found : CBOR_MALFORMED;
            }
            level--;
        }
        at = read_head(at, end, &item);
        if (at == 0) {
            return CBOR_MALFORMED;
        }
        if (item.kind == CBOR_SIMPLE && item.open) {
            if ((left[level] & OPEN_ANY) == 0u || (left[level] & 1u) != 0u) {
                return CBOR_MALFORMED;
            }
            left[level] = 0u;
            continue;
        }
        if (level == 0u) {
            /* An even number of items is still to come before a key. */
            if ((left[0] & 1u) == 0u) {
                if (item.kind != CBOR_TEXT || item.value > (uint32_t)(end - at)) {
                    return CBOR_MALFORMED;
                }
                matches = key != 0 && cbor_equals(&item, key);
            } else if (matches) {
                *value = item;
                found = CBOR_FOUND;
            }
        }
        if ((left[level] & OPEN_ANY) == 0u) {
            left[level]--;
        } else if (left[level] >= OPEN_MAP) {
            left[level] ^= 1u;
        }
        if (item.kind == CBOR_BYTES || item.kind == CBOR_TEXT) {
            if (item.value > (uint32_t)(end - at)) {
                return CBOR_MALFORMED;
            }
            at += item.value;
        } else if (item.kind >= CBOR_ARRAY && item.kind <= CBOR_TAG) {
            const uint32_t items = items_of(&item, (uint32_t)(end - at));
            if (level + 1u == LEVELS || items == 0xFFFFFFFFu) {
                return CBOR_MALFORMED;
            }
            left[++level] = items;
        }
    }
}

uint32_t cbor_need(const struct cbor_map *map, const char *key, uint8_t kind, struct cbor_item *value) {
    return cbor_find(map, key, value) == CBOR_FOUND && value->kind == kind;
}

static uint32_t length_of(const char *text) {
    uint32_t length = 0u;
    while (text[length] != '\0') {
        length++;
        __asm volatile(""); /* or a compiler would call strlen, which a firmware does not have */
    }
    return length;
}

uint32_t cbor_equals(const struct cbor_item *item, const char *text) {
    if (item->value != length_of(text)) {
        return 0u;
    }
    for (uint32_t i = 0; i < item->value; i++) {
        if (item->data[i] != (uint8_t)text[i]) {
            return 0u;
        }
    }
    return 1u;
}

void cbor_put_head(uint8_t kind, uint32_t value) {
    uint8_t head[5];
    const uint32_t more = value < 24u ? 0u : value <= 0xFFu ? 1u : value <= 0xFFFFu ? 2u : 4u;
    head[0] = (uint8_t)((uint32_t)kind << 5 | (more == 0u ? value : 24u + more / 2u));
    for (uint32_t i = more; i > 0u; i--) {
        head[i] = (uint8_t)value;
        value >>= 8;
    }
    cbor_sink(head, 1u + more);
}

void cbor_put_string(uint8_t kind, const void *data, uint32_t size) {
    cbor_put_head(kind, size);
    cbor_sink(data, size);
}

void cbor_put_text(const char *text) {
    cbor_put_string(CBOR_TEXT, text, length_of(text));
}

void cbor_put_uint(uint32_t value) {
    cbor_put_head(CBOR_UINT, value);
}

void cbor_put_text_at(const char *key, const char *text) {
    cbor_put_text(key);
    cbor_put_text(text);
}

void cbor_put_uint_at(const char *key, uint32_t value) {
    cbor_put_text(key);
    cbor_put_uint(value);
}

void cbor_put_flag_at(const char *key, uint32_t value) {
    cbor_put_text(key);
    cbor_put_head(CBOR_SIMPLE, value ? CBOR_TRUE : CBOR_FALSE);
}

void cbor_put_bytes_at(const char *key, const void *data, uint32_t size) {
    cbor_put_text(key);
    cbor_put_string(CBOR_BYTES, data, size);
}
