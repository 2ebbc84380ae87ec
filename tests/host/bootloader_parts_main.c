/*
 * The parts of the bootloader's Ed25519, each by itself: random signatures never meet the numbers at which a
 * carry goes wrong. The file is included, as its functions have no other way out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ed25519_parts.h"

static struct number take(void) {
    uint8_t bytes[32];
    struct number number;
    if (fread(bytes, 1u, sizeof bytes, stdin) != sizeof bytes) {
        exit(2);
    }
    load(&number, bytes);
    return number;
}

static void give(const struct number *number) {
    for (uint32_t i = 0u; i < 4u * WORDS; i++) {
        putchar((int)(number->words[i / 4u] >> (8u * (i % 4u)) & 255u));
    }
}

static void decode(void) {
    uint8_t bytes[32];
    struct point point;
    if (fread(bytes, 1u, sizeof bytes, stdin) != sizeof bytes) {
        exit(2);
    }
    const uint32_t valid = decode_negative(&point, bytes);
    putchar((int)valid);
    putchar((int)has_small_order(&point));
    canonical(&point.x);
    canonical(&point.y);
    canonical(&point.t);
    give(&point.x);
    give(&point.y);
    give(&point.t);
}

/* Two numbers in; each operation on them out, to a third place, over the first and over the second. */
static void operate(void) {
    const struct number a = take(), b = take();
    struct number out = a, first = a, second = b;
    add(&out, &a, &b);
    add(&first, &first, &b);
    add(&second, &a, &second);
    give(&out);
    give(&first);
    give(&second);
    first = a;
    second = b;
    subtract(&out, &a, &b);
    subtract(&first, &first, &b);
    subtract(&second, &a, &second);
    give(&out);
    give(&first);
    give(&second);
    first = a;
    second = b;
    multiply(&out, &a, &b);
    multiply(&first, &first, &b);
    multiply(&second, &a, &second);
    give(&out);
    give(&first);
    give(&second);
    first = a;
    add(&first, &first, &first);
    give(&first);
    first = a;
    multiply(&first, &first, &first);
    give(&first);
    first = a;
    canonical(&first);
    give(&first);
    putchar((int)is_equal(&a, &b));
    putchar((int)is_zero(&a));
    putchar((int)difference(&out, &a, &b));
    give(&out);
    move_if(&out, &a, 0u);
    give(&out);
    move_if(&out, &a, 1u);
    give(&out);
}

static void roots(void) {
    struct number a = take();
    struct number out;
    power(&out, &a);
    give(&out);
    invert(&out, &a);
    give(&out);
    invert(&a, &a);
    give(&a);
}

/* Two scalars and an encoded point: s B - h P, encoded. */
static void sum(void) {
    const struct number s = take(), h = take();
    uint8_t bytes[32];
    struct point point, out;
    if (fread(bytes, 1u, sizeof bytes, stdin) != sizeof bytes || decode_negative(&point, bytes) == 0u) {
        exit(2);
    }
    combine(&out, &s, &h, &point);
    putchar((int)encodes_to(&out, bytes));
    give(&out.y);
}

/* The constants, in the order of the file. */
static void constants(void) {
    give(&prime);
    give(&order);
    give(&curve_d);
    give(&root_of_minus_1);
    give(&minus_37);
    give(&base_x);
    give(&base_y);
}

int main(void) {
    for (int what = getchar(); what != EOF; what = getchar()) {
        if (what == 'd') {
            decode();
        } else if (what == 'o') {
            operate();
        } else if (what == 'r') {
            roots();
        } else if (what == 's') {
            sum();
        } else if (what == 'c') {
            constants();
        } else {
            return 4;
        }
    }
    return 0;
}
