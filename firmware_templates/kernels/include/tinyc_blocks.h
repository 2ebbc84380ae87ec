/* Convolution in blocks of two channels by four pixels: what all its variants share. */
#ifndef TINYC_BLOCKS_H
#define TINYC_BLOCKS_H

#include <stdint.h>
#include <string.h>

#include "tinyc_dsp.h"

/* One block of four output pixels. The panel holds words of two inputs, sign-extended; those of the
 * four pixels alternate. `records` holds, for each pair of channels: the bias; the weights, a word for each
 * word of a pixel, whose halves are 256 * high + low; and the constants of the requantization of both. Where
 * that is the double rounding, the bias is that of the low channel, and 256 times that of the high one plus
 * that of the low one follows it. */
struct tinyc_block {
    const tinyc_word *panel;
    const int32_t *records;
    int8_t *output;
    int8_t *end; /* `output` behind the last pair */
    const tinyc_word *panel_end;
    int32_t channels; /* bytes from a pixel to the next */
};

struct tinyc_conv_2d_blocks {
    uint16_t batches;
    uint16_t input_height, input_width;
    uint16_t output_height, output_width, output_channels;
    uint16_t stride_height, stride_width;
    int16_t pad_top, pad_left;
    int16_t padding; /* the input's zero point */
    uint16_t depth;  /* input channels */
    uint16_t words;  /* 32-bit words of a pixel in the panel */
    uint16_t record; /* and of a record */
    const int32_t *weights;
};

/* A window as runs of neighbouring inputs. */
struct tinyc_gather {
    int32_t rows, runs;           /* of the kernel, and of each of its rows */
    int32_t pixels, channels;     /* of a run */
    int32_t row_step, pixel_step; /* dilation */
    int32_t is_padded;            /* whether a window may reach beyond the input */
};

typedef void tinyc_block_kernel(const struct tinyc_block *block);

/* Sign-extends `count` inputs into the panel words of one pixel: each four as (0, 2), (1, 3), then the
 * one to three left as (0, 1), (2, nothing). Answers where the next run begins. */
TINYC_INLINE tinyc_word *tinyc_gather_run(tinyc_word *to, const int8_t *from, int32_t count) {
    for (; count >= 16; count -= 16, from += 16, to += 32) {
        const uint32_t a = tinyc_load_word(from), b = tinyc_load_word(from + 4);
        const uint32_t c = tinyc_load_word(from + 8), d = tinyc_load_word(from + 12);
        to[0] = tinyc_sxtb16(a);
        to[4] = tinyc_sxtb16_odd(a);
        to[8] = tinyc_sxtb16(b);
        to[12] = tinyc_sxtb16_odd(b);
        to[16] = tinyc_sxtb16(c);
        to[20] = tinyc_sxtb16_odd(c);
        to[24] = tinyc_sxtb16(d);
        to[28] = tinyc_sxtb16_odd(d);
    }
    /* No loop, so that nothing but the loads and stores is left where `count` is a constant. */
    if (count >= 8) {
        const uint32_t a = tinyc_load_word(from), b = tinyc_load_word(from + 4);
        to[0] = tinyc_sxtb16(a);
        to[4] = tinyc_sxtb16_odd(a);
        to[8] = tinyc_sxtb16(b);
        to[12] = tinyc_sxtb16_odd(b);
        count -= 8;
        from += 8;
        to += 16;
    }
    if (count >= 4) {
        const uint32_t a = tinyc_load_word(from);
        to[0] = tinyc_sxtb16(a);
        to[4] = tinyc_sxtb16_odd(a);
        count -= 4;
        from += 4;
        to += 8;
    }
    if (count >= 2) {
        to[0] = tinyc_pack_bottoms((uint32_t)(int32_t)from[0], (uint32_t)(int32_t)from[1]);
        to += 4;
        from += 2;
        count -= 2;
    }
    if (count > 0) {
        to[0] = (uint32_t)(int32_t)from[0] & 0xffffu;
        to += 4;
    }
    return to;
}

/* All channels of one block; an odd number begins with a pair that overlaps the next. A single channel is a
 * pair with itself. */
TINYC_INLINE void tinyc_run_block(const struct tinyc_conv_2d_blocks *layer, const tinyc_word *panel,
                                  int8_t *output, tinyc_block_kernel *kernel) {
    const int32_t channels = layer->output_channels;
    struct tinyc_block block = {panel,    layer->weights,            output, output + channels,
                                panel + 4 * layer->words, channels};
    if (channels % 2 != 0) {
        block.end = output + 2;
        kernel(&block);
        if (channels == 1) {
            return;
        }
        block.records += layer->record;
        block.output = output + 1;
        block.end = output + channels;
    }
    kernel(&block);
}

#if !defined(__ARM_FEATURE_DSP)

TINYC_INLINE int32_t tinyc_smmla(uint32_t acc, int32_t multiplier, int32_t constant) {
    return constant + (int32_t)(((int64_t)(int32_t)acc * multiplier) >> 32);
}

/* Both outputs of a pair of channels at one of the four pixels; `shift` below 0 asks for the double rounding
 * with the shifts of the record. */
TINYC_INLINE void tinyc_pair_in_c(const struct tinyc_block *block, const int32_t *record, int32_t pixel,
                                  int32_t shift, int32_t outputs[2]) {
    const int32_t words = (int32_t)(block->panel_end - block->panel) / 4;
    const int32_t *weights = record + (shift >= 0 ? 1 : 2), *constants = weights + words;
    uint32_t low = (uint32_t)record[0], high = shift >= 0 ? 257 * low : (uint32_t)record[1];
    for (int32_t i = 0; i < words; i++) {
        const uint32_t both = (uint32_t)weights[i], x = block->panel[4 * i + pixel];
        high = tinyc_smlad(both, x, high);
        low = tinyc_smlad(tinyc_sxtb16(both), x, low);
    }
    high -= low;
    int32_t y0, y1;
    if (shift >= 0) {
        y0 = tinyc_smmla(low, constants[0], constants[1]) >> shift;
        y1 = tinyc_smmla(high, constants[2], constants[3]) >> (shift + 8);
    } else {
        const int32_t double0 = (int32_t)(low << 1), double1 = (int32_t)high >> 7;
        y0 = (tinyc_smmulr(double0, constants[0]) + constants[1] + (double0 >> 31)) >> constants[2];
        y1 = (tinyc_smmulr(double1, constants[3]) + constants[4] + (double1 >> 31)) >> constants[5];
    }
    outputs[0] = tinyc_clamp(y0, -128, 127);
    outputs[1] = tinyc_clamp(y1, -128, 127);
}

/* The words of a record. */
TINYC_INLINE int32_t tinyc_record_in_c(const struct tinyc_block *block, int32_t shift) {
    return (int32_t)(block->panel_end - block->panel) / 4 + (shift >= 0 ? 1 + 4 : 2 + 6);
}

/* What the assembly of a block computes. */
TINYC_INLINE void tinyc_block_in_c(const struct tinyc_block *block, int32_t shift) {
    const int32_t *record = block->records;
    for (int8_t *output = block->output; output != block->end; output += 2) {
        for (int32_t pixel = 0; pixel < 4; pixel++) {
            int32_t pair[2];
            tinyc_pair_in_c(block, record, pixel, shift, pair);
            output[pixel * block->channels] = (int8_t)pair[0];
            output[pixel * block->channels + (block->channels > 1)] = (int8_t)pair[1];
        }
        record += tinyc_record_in_c(block, shift);
    }
}

#endif

#endif
