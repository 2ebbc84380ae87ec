#ifndef TINYC_PLANAR_H
#define TINYC_PLANAR_H

#include "tinyc_planar_fill.h"

/* Some channels of a tile. */
struct tinyc_planar_group {
    struct tinyc_planes tile;
    const struct tinyc_planar *layer;
    const int8_t *input;   /* of the batch */
    int8_t *result;        /* of the batch */
    int32_t batches;       /* with this one */
    int32_t done;          /* output rows before the tile */
    int32_t channel;       /* the first one */
    int32_t from, to;      /* bytes before what the tile reads, in the input and in a plane */
    int32_t filled;        /* rows that it reads */
};

/* All words of the planes and up to three more: the input's zero point. */
TINYC_KERNEL void tinyc_planar_clear(const struct tinyc_planar *layer, tinyc_word *planes) {
    const uint32_t padding = tinyc_sxtb16(layer->outside);
    const int32_t bytes = layer->plane * layer->group;
    for (const tinyc_word *end = planes + (bytes + 15) / 16 * 4; planes != end; planes += 4) {
        planes[0] = padding;
        planes[1] = padding;
        planes[2] = padding;
        planes[3] = padding;
    }
}

/* Where the tile after `rows` done ones lies. Words of planes without any input get the zero point:
 * those at the sides once, those above and below where a tile has them. */
TINYC_INLINE void tinyc_planar_tile(struct tinyc_planar_group *group, const struct tinyc_planar *layer) {
    const int32_t left = layer->outputs - group->done, rows = left < layer->tile ? left : layer->tile;
    const int32_t top = layer->top - group->done * layer->stride;
    const int32_t end = (rows - 1) * layer->stride + layer->reach - top;
    const int32_t first = top > 0 ? 0 : -top, last = end < layer->rows ? end : layer->rows;
    if (group->done == 0 || top > 0 || end > layer->rows) {
        tinyc_planar_clear(layer, group->tile.planes);
    }
    group->tile.rows = rows;
    group->from = first * layer->row_step;
    group->to = 4 * ((first + top) * layer->pitch + (layer->left >> 1));
    group->filled = layer->columns > 0 ? last - first : 0;
}

/* Fills the planes with the next group; answers whether there was one. */
TINYC_KERNEL int32_t tinyc_planar_next(struct tinyc_planar_group *group) {
    const struct tinyc_planar *layer = group->layer;
    int32_t channel = group->channel + layer->group;
    if (channel >= layer->channels) {
        channel = 0;
        group->done += group->tile.rows;
        if (group->done >= layer->outputs) {
            if (--group->batches == 0) {
                return 0;
            }
            group->done = 0;
            group->input += layer->size;
            group->result += layer->output_size;
        }
        tinyc_planar_tile(group, layer);
    }
    const int32_t others = layer->channels - channel, channels = others < layer->group ? others : layer->group;
    group->channel = channel;
    group->tile.channels = channels;
    group->tile.record = layer->weights + channel * layer->record;
    group->tile.output = group->result + group->done * layer->output_step + channel;
    if (group->filled > 0) {
        const int8_t *input = group->input + group->from + channel;
        uint8_t *plane = (uint8_t *)group->tile.planes + group->to;
        int32_t left = channels;
        for (; left >= 4; left -= 4, input += 4, plane += 4 * layer->plane) {
            tinyc_planar_four(layer, input, plane, group->filled);
        }
        if (left > 0) {
            tinyc_planar_some(layer, input, plane, group->filled, left);
        }
    }
    return 1;
}

/* Group by group, tile by tile. */
TINYC_KERNEL void tinyc_planar_run(const struct tinyc_planar *layer, const int8_t *input, int8_t *output,
                                   void *scratch, tinyc_planes_rows *rows) {
    struct tinyc_planar_group group = {.tile = {.planes = scratch,
                                                .pixel = layer->output_pixel,
                                                .line = layer->output_step},
                                       .layer = layer,
                                       .input = input,
                                       .result = output,
                                       .batches = layer->batches,
                                       .channel = layer->channels};
    while (tinyc_planar_next(&group)) {
        rows(&group.tile);
    }
}

#endif
