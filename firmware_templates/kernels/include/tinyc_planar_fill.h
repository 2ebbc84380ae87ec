/* Fills planes of int16 from pixels whose channels lie next to each other. */
#ifndef TINYC_PLANAR_FILL_H
#define TINYC_PLANAR_FILL_H

#include "tinyc_planes.h"

/* A depthwise layer that is computed channel by channel on planes of int16.
 *
 * A plane holds one channel of some input rows with their padding, two neighbouring columns in a
 * word. Some channels at a time go from the input, where they lie next to each other, to planes.
 * Rows and columns may stand for the columns and rows of the image: a step from one to the next
 * is a number of bytes. */
struct tinyc_planar {
    /* Assembly reads the fields down to `outside` by their place. */
    int32_t column_step; /* bytes of the input from column to column */
    int32_t plane;       /* bytes of a plane */
    int32_t quads;       /* fours of columns of a row, after a first column that stands alone */
    int32_t others;      /* 1: a first column stands alone, 2: two columns more, 4: and one more */
    int32_t next_row;    /* bytes of the input from behind the last column to the next row */
    int32_t next_plane;  /* bytes of a plane from behind the last word with a column to the next row's */
    uint32_t outside;    /* the input's zero point, four times */
    int32_t row_step, size;           /* bytes of the input from row to row, batch */
    int32_t output_pixel;             /* bytes of the output from column to column */
    int32_t output_step, output_size; /* and from row to row, batch */
    uint16_t batches, channels;
    uint16_t group;                   /* channels at a time, a multiple of 4 or all */
    uint16_t rows, columns;           /* of the input, columns as far as outputs depend on them */
    int16_t top, left;                /* rows and columns of padding before the input */
    uint16_t outputs;                 /* rows of the output */
    uint16_t tile;                    /* rows of the output that are computed together */
    uint16_t stride, reach;           /* rows from one output row to the next, and below one */
    uint16_t pitch;                   /* words of a row of a plane */
    uint16_t record;                  /* words of a record */
    const int32_t *weights;           /* a record per channel */
};

/* `rows` rows, at least one, of fewer than four channels; `plane` is where the first of them begins. */
TINYC_KERNEL void tinyc_planar_some(const struct tinyc_planar *layer, const int8_t *input, uint8_t *plane,
                                    int32_t rows, int32_t channels) {
    const int32_t step = layer->column_step, odd = layer->others & 1;
    const int32_t outside = tinyc_bottom(tinyc_sxtb16(layer->outside));
    for (; rows > 0; rows--, input += layer->row_step, plane += 4 * layer->pitch) {
        for (int32_t channel = 0; channel < channels; channel++) {
            const int8_t *x = input + channel;
            tinyc_word *to = (tinyc_word *)(void *)(plane + channel * layer->plane);
            int32_t columns = layer->columns;
            if (odd != 0) {
                *to++ = tinyc_pack_bottoms((uint32_t)outside, (uint32_t)*x);
                x += step;
                columns--;
            }
            for (; columns > 1; columns -= 2, x += 2 * step) {
                *to++ = tinyc_pack_bottoms((uint32_t)x[0], (uint32_t)x[step]);
            }
            if (columns > 0) {
                *to = tinyc_pack_bottoms((uint32_t)*x, (uint32_t)outside);
            }
        }
    }
}

#if defined(__ARM_FEATURE_DSP)

/* Two columns of four channels, r8 and r9, to the four planes. */
#define TINYC_PLANAR_PAIR                 \
    "pkhbt r10, r8, r9, lsl #16\n\t"      \
    "pkhtb r11, r9, r8, asr #16\n\t"      \
    "sxtb16 r8, r10\n\t"                  \
    "sxtb16 r9, r10, ror #8\n\t"          \
    "str r8, [r1], #4\n\t"                \
    "str r9, [r2], #4\n\t"                \
    "sxtb16 r8, r11\n\t"                  \
    "sxtb16 r9, r11, ror #8\n\t"          \
    "str r8, [r3], #4\n\t"                \
    "str r9, [r4], #4\n\t"

/* `rows` rows, at least one, of four channels. */
TINYC_ASSEMBLY void tinyc_planar_four(const struct tinyc_planar *layer TINYC_UNUSED,
                                      const int8_t *input TINYC_UNUSED, uint8_t *plane TINYC_UNUSED,
                                      int32_t rows TINYC_UNUSED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "mov r12, r0\n\t"
        "mov lr, r3\n\t"
        "mov r0, r1\n\t"
        "mov r1, r2\n\t"
        "ldrd r5, r6, [r12]\n\t"
        "add r2, r1, r6\n\t"
        "add r3, r2, r6\n\t"
        "add r4, r3, r6\n\t"
        "add r6, r5, r5, lsl #1\n\t"
        "1:\n\t"
        "ldrd r7, r8, [r12, #8]\n\t"
        "lsls r8, r8, #31\n\t"
        "beq 2f\n\t"
        "ldr r8, [r12, #24]\n\t"
        "ldr r9, [r0]\n\t"
        "add r0, r0, r5\n\t"
        TINYC_PLANAR_PAIR
        "2:\n\t"
        "cbz r7, 4f\n\t"
        "3:\n\t"
        "ldr r8, [r0]\n\t"
        "ldr r9, [r0, r5]\n\t"
        TINYC_PLANAR_PAIR
        "ldr r8, [r0, r5, lsl #1]\n\t"
        "ldr r9, [r0, r6]\n\t"
        "add r0, r0, r5, lsl #2\n\t"
        TINYC_PLANAR_PAIR
        "subs r7, r7, #1\n\t"
        "bne 3b\n\t"
        "4:\n\t"
        "ldr r7, [r12, #12]\n\t"
        "lsls r7, r7, #30\n\t" /* the sign is bit 1, the carry bit 2; what follows keeps both */
        "bpl 5f\n\t"
        "ldr r8, [r0]\n\t"
        "ldr r9, [r0, r5]\n\t"
        "add r0, r0, r5, lsl #1\n\t"
        TINYC_PLANAR_PAIR
        "5:\n\t"
        "bcc 6f\n\t"
        "ldr r8, [r0]\n\t"
        "ldr r9, [r12, #24]\n\t"
        "add r0, r0, r5\n\t"
        TINYC_PLANAR_PAIR
        "6:\n\t"
        "ldrd r8, r7, [r12, #16]\n\t"
        "add r0, r0, r8\n\t"
        "cbz r7, 7f\n\t"
        "add r1, r1, r7\n\t"
        "add r2, r2, r7\n\t"
        "add r3, r3, r7\n\t"
        "add r4, r4, r7\n\t"
        "7:\n\t"
        "subs lr, lr, #1\n\t"
        "bne 1b\n\t"
        "pop {r4-r11, pc}\n\t");
}

#else

TINYC_INLINE void tinyc_planar_pair(uint32_t first, uint32_t second, uint8_t *to, int32_t plane) {
    const uint32_t low = tinyc_pack_bottoms(first, second), high = tinyc_pack_tops(first, second);
    tinyc_store_word(to, tinyc_sxtb16(low));
    tinyc_store_word(to + plane, tinyc_sxtb16_odd(low));
    tinyc_store_word(to + 2 * plane, tinyc_sxtb16(high));
    tinyc_store_word(to + 3 * plane, tinyc_sxtb16_odd(high));
}

TINYC_KERNEL void tinyc_planar_four(const struct tinyc_planar *layer, const int8_t *input, uint8_t *plane,
                                    int32_t rows) {
    const int32_t step = layer->column_step, pairs = 2 * layer->quads + (layer->others >> 1 & 1);
    for (; rows > 0; rows--, input += layer->next_row, plane += layer->next_plane) {
        if ((layer->others & 1) != 0) {
            tinyc_planar_pair(layer->outside, tinyc_load_word(input), plane, layer->plane);
            input += step;
            plane += 4;
        }
        for (int32_t pair = 0; pair < pairs; pair++, input += 2 * step, plane += 4) {
            tinyc_planar_pair(tinyc_load_word(input), tinyc_load_word(input + step), plane, layer->plane);
        }
        if ((layer->others & 4) != 0) {
            tinyc_planar_pair(tinyc_load_word(input), layer->outside, plane, layer->plane);
            input += step;
            plane += 4;
        }
    }
}

#endif

#endif
