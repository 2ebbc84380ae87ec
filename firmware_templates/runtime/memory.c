/*
 * The four memory functions that a compiler may call on its own. Built with -fno-builtin, or a
 * compiler would turn these loops into calls of themselves.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Words that may alias anything. Some cores read them at any address, the others copy bytes where one
 * of the addresses is no multiple of 4. */
#if defined(__ARM_FEATURE_UNALIGNED)
typedef uint32_t __attribute__((may_alias, aligned(1))) word_t;
#define IN_WORDS(addresses) 1
#else
typedef uint32_t __attribute__((may_alias)) word_t;
#define IN_WORDS(addresses) (((addresses) & 3u) == 0u)
#endif

#define WORDS 4u

static inline void copy_words(word_t *to, const word_t *from) {
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
    to[3] = from[3];
}

void *memcpy(void *restrict target, const void *restrict source, size_t size) {
    uint8_t *to = target;
    const uint8_t *from = source;
    if (IN_WORDS((uintptr_t)to | (uintptr_t)from)) {
        for (size_t blocks = size / (8u * WORDS); blocks > 0u; blocks--) {
            copy_words((word_t *)to, (const word_t *)from);
            copy_words((word_t *)to + WORDS, (const word_t *)from + WORDS);
            to += 8u * WORDS;
            from += 8u * WORDS;
        }
        size %= 8u * WORDS;
        if (size >= 4u * WORDS) {
            copy_words((word_t *)to, (const word_t *)from);
            size -= 4u * WORDS;
            to += 4u * WORDS;
            from += 4u * WORDS;
        }
        for (; size >= 4u; size -= 4u, to += 4u, from += 4u) {
            *(word_t *)to = *(const word_t *)from;
        }
    }
    for (; size > 0u; size--) {
        *to++ = *from++;
    }
    return target;
}

void *memmove(void *target, const void *source, size_t size) {
    uint8_t *to = target;
    const uint8_t *from = source;
    if ((uintptr_t)to - (uintptr_t)from >= size) { /* forwards is safe: below, or not overlapping */
        if (IN_WORDS((uintptr_t)to | (uintptr_t)from)) {
            for (; size >= 4u; size -= 4u, to += 4u, from += 4u) {
                *(word_t *)to = *(const word_t *)from;
            }
        }
        for (; size > 0u; size--) {
            *to++ = *from++;
        }
        return target;
    }
    if (IN_WORDS((uintptr_t)(to + size) | (uintptr_t)(from + size))) {
        for (; size >= 4u; size -= 4u) {
            *(word_t *)(to + size - 4u) = *(const word_t *)(from + size - 4u);
        }
    }
    for (; size > 0u; size--) {
        to[size - 1u] = from[size - 1u];
    }
    return target;
}

void *memset(void *target, int value, size_t size) {
    uint8_t *to = target;
    const uint32_t word = (uint8_t)value * 0x01010101u;
    for (; !IN_WORDS((uintptr_t)to) && size > 0u; size--) {
        *to++ = (uint8_t)value;
    }
    for (size_t blocks = size / (4u * WORDS); blocks > 0u; blocks--, to += 4u * WORDS) {
        ((word_t *)to)[0] = word;
        ((word_t *)to)[1] = word;
        ((word_t *)to)[2] = word;
        ((word_t *)to)[3] = word;
    }
    size %= 4u * WORDS;
    for (; size > 0u; size--) {
        *to++ = (uint8_t)value;
    }
    return target;
}

int memcmp(const void *left, const void *right, size_t size) {
    const uint8_t *a = left;
    const uint8_t *b = right;
    for (; size > 0u; size--, a++, b++) {
        if (*a != *b) {
            return (int)*a - (int)*b;
        }
    }
    return 0;
}
