/* Two units at a time. Behind a unit's head lies one weight a byte, up to a whole word. */

/* `count` inputs times the weights of two units: the second sum in the upper word of the answer, the
 * first in the lower one. `count` is a multiple of 4 and not 0. */
#if defined(__ARM_ARCH_6M__)
TINYC_KERNEL TINYC_SCALAR_NAKED uint64_t tinyc_scalar_two_units(const int8_t *x TINYC_SCALAR_UNUSED,
                                                                const int8_t *first TINYC_SCALAR_UNUSED,
                                                                const int8_t *second TINYC_SCALAR_UNUSED,
                                                                int32_t count TINYC_SCALAR_UNUSED) {
#define STEP \
    "ldrsb r4, [r0, r3]\n\t" \
    "ldrsb r5, [r1, r3]\n\t" \
    "muls r5, r4, r5\n\t" \
    "adds r6, r6, r5\n\t" \
    "ldrsb r5, [r2, r3]\n\t" \
    "muls r5, r4, r5\n\t" \
    "adds r7, r7, r5\n\t" \
    "adds r3, r3, #1\n\t"
    __asm__ volatile(
        ".syntax unified\n\t"
        "push {r4, r5, r6, r7, lr}\n\t"
        "mov r12, r3\n\t"
        "movs r3, #0\n\t"
        "movs r6, #0\n\t"
        "movs r7, #0\n"
        "1:\n\t" STEP STEP STEP STEP
        "cmp r3, r12\n\t"
        "bne 1b\n\t"
        "movs r0, r6\n\t"
        "movs r1, r7\n\t"
        "pop {r4, r5, r6, r7, pc}");
#undef STEP
}
#else
TINYC_INLINE uint64_t tinyc_scalar_two_units(const int8_t *x, const int8_t *first, const int8_t *second,
                                             int32_t count) {
    const int8_t *const end = x + count;
    uint32_t sum0 = 0u, sum1 = 0u;
    do {
        sum0 += (uint32_t)(x[0] * first[0]);
        sum1 += (uint32_t)(x[0] * second[0]);
        sum0 += (uint32_t)(x[1] * first[1]);
        sum1 += (uint32_t)(x[1] * second[1]);
        sum0 += (uint32_t)(x[2] * first[2]);
        sum1 += (uint32_t)(x[2] * second[2]);
        sum0 += (uint32_t)(x[3] * first[3]);
        sum1 += (uint32_t)(x[3] * second[3]);
        x += 4;
        first += 4;
        second += 4;
    } while (x != end);
    return (uint64_t)sum1 << 32 | sum0;
}
#endif

TINYC_KERNEL void tinyc_fully_connected_s8__scalar(const struct tinyc_scalar_fully_connected *layer,
                                                   const int8_t *input, int8_t *output) {
    const int32_t depth = layer->depth, whole = depth & ~3;
    const uint32_t length = TINYC_SCALAR_HEAD + ((uint32_t)depth + 3u) / 4u;
    for (int32_t row = 0; row < layer->rows; row++, input += depth) {
        const uint32_t *head = layer->words;
        for (int32_t left = layer->units; left > 0; left -= 2, head += 2u * length) {
            /* An odd last unit is its own partner. */
            const uint32_t *const other = left > 1 ? head + length : head;
            const int8_t *const first = (const int8_t *)(head + TINYC_SCALAR_HEAD);
            const int8_t *const second = (const int8_t *)(other + TINYC_SCALAR_HEAD);
            const uint64_t sums = whole > 0 ? tinyc_scalar_two_units(input, first, second, whole) : 0u;
            uint32_t sum0 = head[0] + (uint32_t)sums, sum1 = other[0] + (uint32_t)(sums >> 32);
            for (int32_t d = whole; d < depth; d++) {
                sum0 += (uint32_t)(input[d] * first[d]);
                sum1 += (uint32_t)(input[d] * second[d]);
            }
            *output++ = tinyc_scalar_output(sum0, (int32_t)head[1], (int32_t)head[2], &layer->range);
            if (left > 1) {
                *output++ = tinyc_scalar_output(sum1, (int32_t)other[1], (int32_t)other[2], &layer->range);
            }
        }
    }
}
