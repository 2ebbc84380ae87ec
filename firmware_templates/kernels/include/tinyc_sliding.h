/* Planes of all channels that slide down the image: the depthwise layer of some output rows at a time. */
#ifndef TINYC_SLIDING_H
#define TINYC_SLIDING_H

#include <stdint.h>

#include "tinyc_planes.h"

/* For each tile the rows that are new go to planes, one for each channel, and the depthwise routine runs over
 * them. For the next tile the window of all planes slides by the rows that are done with: those that both
 * tiles need stay where they are, and new ones take the place of rows of the plane behind. When there is no
 * more room the shared rows move back to the top. */
struct tinyc_sliding {
    uint16_t batches;
    uint16_t height, width;   /* of the planes' image */
    uint16_t depth, channels; /* bytes of a pixel of the input, and planes */
    uint16_t pitch, plane;    /* bytes of a row of a plane, and of a plane */
    int16_t top, left;        /* rows and columns of padding */
    uint16_t outputs, tile;   /* output rows, and those of a tile */
    uint16_t stride, reach;   /* rows from one output row to the next, and below one */
    int32_t buffer, room;     /* bytes of all planes, a multiple of 16, and those that the window may slide */
    int32_t output_step;      /* bytes of an output row */
    uint32_t outside;         /* zero point of the planes, in both halves */
};

/* The tile at hand. */
struct tinyc_sliding_tile {
    struct tinyc_planes planes;
    uint8_t *top;           /* where the first window begins */
    const int8_t *input;    /* of the batch */
    int32_t batches;        /* behind this one */
    int32_t left;           /* output rows from this tile on */
    int32_t origin, filled; /* rows of the image: the first of the window, and below the last in planes */
    const int8_t *from;     /* what is to be filled in: `rows` of the image, none where that is not positive, */
    uint8_t *to;            /* to the rows of the plane of the first channel that begin here */
    int32_t rows;
};

/* A layer before its first tile; `planes` is what scratch has room for them. */
TINYC_INLINE struct tinyc_sliding_tile tinyc_sliding_start(const struct tinyc_sliding *layer,
                                                           const int32_t *records, const int8_t *input,
                                                           int8_t *output, void *planes) {
    const struct tinyc_sliding_tile tile = {
        .planes = {.record = records, .output = output, .channels = layer->channels},
        .top = planes,
        .input = input,
        .batches = layer->batches,
    };
    return tile;
}

/* The first window of a batch: nothing but padding. */
TINYC_INLINE void tinyc_planes_clear(const struct tinyc_sliding *layer, tinyc_word *planes) {
    for (const tinyc_word *end = planes + layer->buffer / 4; planes != end; planes += 4) {
        planes[0] = layer->outside;
        planes[1] = layer->outside;
        planes[2] = layer->outside;
        planes[3] = layer->outside;
    }
}

/* The next tile; answers whether there is one. */
TINYC_KERNEL int32_t tinyc_sliding_next(const struct tinyc_sliding *layer, struct tinyc_sliding_tile *tile) {
    const int32_t pitch = layer->pitch, plane = layer->plane, height = layer->height;
    const int32_t step = layer->tile * layer->stride; /* rows from tile to tile */
    uint8_t *const top = tile->top, *window = tile->planes.planes;

    tile->planes.output += tile->planes.rows * layer->output_step;
    tile->left -= tile->planes.rows;
    if (tile->left > 0) {
        tile->origin += step;
        window += step * pitch;
        if (window - top > layer->room) {
            const int32_t bytes = (layer->reach - layer->stride) * pitch; /* of a plane that both tiles need */
            const uint8_t *from = window;
            window = top;
            for (int32_t channel = 0; channel < layer->channels; channel++, from += plane) {
                uint8_t *to = top + channel * plane;
                for (int32_t at = 0; at < bytes; at += 4) {
                    *(tinyc_word *)(void *)(to + at) = *(const tinyc_word *)(const void *)(from + at);
                }
            }
        }
    } else {
        if (tile->batches == 0) {
            return 0;
        }
        if (tile->batches-- < layer->batches) {
            tile->input += height * layer->width * layer->depth;
        }
        tile->left = layer->outputs;
        tile->origin = -layer->top;
        tile->filled = 0;
        window = top;
        tinyc_planes_clear(layer, (tinyc_word *)(void *)top);
    }
    const int32_t rows = tile->left < layer->tile ? tile->left : layer->tile;
    const int32_t bottom = tile->origin + (rows - 1) * layer->stride + layer->reach;
    const int32_t end = bottom < height ? bottom : height;
    const int32_t first = tile->filled > tile->origin ? tile->filled : tile->origin;
    tile->planes.rows = rows;
    tile->planes.planes = window;
    tile->from = tile->input + first * layer->width * layer->depth;
    tile->to = window + (first - tile->origin) * pitch;
    tile->rows = end - first;
    tile->filled = end > first ? end : first;
    if (bottom > height) {
        const int32_t inside = height > tile->origin ? height - tile->origin : 0;
        const int32_t bytes = (bottom - tile->origin - inside) * pitch;
        uint8_t *below = window + inside * pitch;
        for (int32_t channel = 0; channel < layer->channels; channel++, below += plane) {
            for (int32_t at = 0; at < bytes; at += 4) {
                *(tinyc_word *)(void *)(below + at) = layer->outside;
            }
        }
    }
    return 1;
}

#endif
