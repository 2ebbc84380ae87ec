/*
 * A counter that survives power cuts: two pages, each with one record of four words:
 * number, value, check, done. The newest record whose check is right counts.
 *
 * A check that was torn may be right in one boot and wrong in the next. `done` is written after it:
 * where `done` is not whole, the check is written a second time before anything relies on it. And a
 * record that does not count in this boot is erased, so that it does not count in the next.
 */
#include "test.h"
volatile uint32_t result[16]; /* 0: value found at the start, 1: value at the end, 2: 1 when finished */

#define ROUNDS REG(0x20010000u) /* by the host: how often to count */
#define PAGE(i) (0x000F0000u + 4096u * (i))
#define CONFIG REG(0x4001E504u)
#define ERASED 0xFFFFFFFFu

static uint32_t check_of(uint32_t number, uint32_t value) {
    uint32_t hash = 2166136261u;
    for (int i = 0; i < 32; i += 8) hash = (hash ^ (number >> i & 0xFFu)) * 16777619u;
    for (int i = 0; i < 32; i += 8) hash = (hash ^ (value >> i & 0xFFu)) * 16777619u;
    return hash;
}

static void put(uint32_t address, uint32_t value) {
    CONFIG = 1;
    REG(address) = value;
    CONFIG = 0;
}

static int valid(uint32_t page) {
    uint32_t number = REG(page), value = REG(page + 4);
#ifdef NO_CHECK
    return number != ERASED && value != ERASED;
#else
    return number != ERASED && REG(page + 8) == check_of(number, value);
#endif
}

/* Page of the newest record, 2 when there is none. */
static uint32_t newest(void) {
    int first = valid(PAGE(0)), second = valid(PAGE(1));
    if (first && second) return REG(PAGE(1)) > REG(PAGE(0));
    return first ? 0 : second ? 1 : 2;
}

static void erase(uint32_t page) {
    CONFIG = 2;
    REG(0x4001E508) = page;
    CONFIG = 0;
}

/* Leaves no doubt: what counts is written for good, what does not count is erased. */
static void settle(uint32_t at) {
#ifdef NO_SETTLE
    return;
#endif
    if (at != 2) {
        uint32_t page = PAGE(at), check = check_of(REG(page), REG(page + 4));
        if (REG(page + 12) != ~check) {
            put(page + 8, check);
            put(page + 12, ~check);
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t page = PAGE(i), all = REG(page) & REG(page + 4) & REG(page + 8) & REG(page + 12);
        if (!valid(page) && all != ERASED) erase(page);
    }
}

static void count(void) {
    uint32_t at = newest();
    uint32_t number = at == 2 ? 0 : REG(PAGE(at)), value = at == 2 ? 0 : REG(PAGE(at) + 4);
#ifdef IN_PLACE
    uint32_t page = PAGE(at & 1);
#else
    uint32_t page = PAGE(at == 0);
#endif
    erase(page);
    put(page, number + 1);
    put(page + 4, value + 1);
    put(page + 8, check_of(number + 1, value + 1));
    put(page + 12, ~check_of(number + 1, value + 1));
}

int main(void) {
    uint32_t at = newest();
    settle(at);
    result[0] = at == 2 ? 0 : REG(PAGE(at) + 4);
    for (uint32_t i = ROUNDS; i; i--) count();
    at = newest();
    result[1] = at == 2 ? 0 : REG(PAGE(at) + 4);
    result[2] = 1;
    return 0;
}
