/* Changes to an input of lpc_frames.c: whole records come, go and move, so that a sequence stays one. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RECORD 8u
#define WHATS 11u

size_t LLVMFuzzerMutate(uint8_t *data, size_t length, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t length, size_t most, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_length, const uint8_t *other, size_t other_length,
                                 uint8_t *out, size_t most, unsigned seed);

static uint32_t state;

static uint32_t chance(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return below == 0u ? 0u : state % below;
}

/* How often which kind is put in, of 32. */
static const uint8_t kinds[32] = {0u, 0u, 0u, 0u, 1u, 1u, 1u, 1u, 1u, 1u, 2u, 2u, 2u, 2u, 2u,  2u,
                                  2u, 2u, 3u, 3u, 3u, 3u, 3u, 4u, 4u, 4u, 4u, 5u, 6u, 8u, 10u, 9u};

static void new_record(uint8_t *record) {
    for (uint32_t i = 1u; i < RECORD; i++) {
        record[i] = (uint8_t)(chance(3u) == 0u ? chance(256u) : chance(12u));
    }
    record[0] = kinds[chance(32u)];
    if (record[0] == 1u) { /* sizes of a few fragments; few have the longest */
        record[3] = (uint8_t)chance(chance(8u) == 0u ? 256u : 120u);
        record[4] = (uint8_t)(chance(6u) == 0u ? chance(256u) : chance(5u));
    } else if (record[0] == 2u) {
        record[2] = (uint8_t)(chance(3u) == 0u ? chance(16u) : 15u);
        record[3] = (uint8_t)(chance(2u) == 0u ? 0u : 1u << chance(8u));
    }
}

static size_t insert(uint8_t *data, size_t length, size_t most, size_t at) {
    if (length + RECORD > most) {
        return length;
    }
    memmove(data + at + RECORD, data + at, length - at);
    return length + RECORD;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t length, size_t most, unsigned seed) {
    uint8_t record[RECORD];
    state = seed | 1u;
    length -= length % RECORD;
    if (length < 2u * RECORD) {
        length = 2u * RECORD <= most ? 2u * RECORD : length;
        memset(data, 0, length);
    }
    const uint32_t records = (uint32_t)(length / RECORD);
    const size_t at = RECORD * (1u + chance(records - 1u)), other = RECORD * (1u + chance(records - 1u));
    switch (chance(16u)) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (length + RECORD <= most) {
            length = insert(data, length, most, at);
            new_record(data + at);
        }
        return length;
    case 4: /* at the end, where the state is deep */
    case 5:
    case 6:
        if (length + RECORD <= most) {
            new_record(data + length);
            length += RECORD;
        }
        return length;
    case 7:
    case 8:
        if (records > 2u) {
            memmove(data + at, data + at + RECORD, length - at - RECORD);
            length -= RECORD;
        }
        return length;
    case 9:
        if (length + RECORD <= most) {
            memcpy(record, data + other, RECORD);
            length = insert(data, length, most, at);
            memcpy(data + at, record, RECORD);
        }
        return length;
    case 10:
        memcpy(record, data + at, RECORD);
        memcpy(data + at, data + other, RECORD);
        memcpy(data + other, record, RECORD);
        return length;
    case 11:
    case 12: data[at + chance(RECORD)] = (uint8_t)chance(256u); return length;
    case 13: data[at + chance(RECORD)] ^= (uint8_t)(1u << chance(8u)); return length;
    case 14: (void)LLVMFuzzerMutate(data + at, RECORD, RECORD); return length;
    default: return LLVMFuzzerMutate(data, length, most);
    }
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_length, const uint8_t *other, size_t other_length,
                                 uint8_t *out, size_t most, unsigned seed) {
    state = seed | 1u;
    size_t first = RECORD * chance((uint32_t)(one_length / RECORD) + 1u);
    size_t second = RECORD * chance((uint32_t)(other_length / RECORD) + 1u);
    first = first < most ? first : most;
    size_t rest = other_length - second;
    rest = rest < most - first ? rest : most - first;
    memcpy(out, one, first);
    memcpy(out + first, other + second, rest);
    return first + rest;
}
