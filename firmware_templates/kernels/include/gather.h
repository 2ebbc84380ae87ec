#ifndef TINYC_GATHER_H
#define TINYC_GATHER_H

#include <stdint.h>
#include <string.h>

#define TINYC_GATHER_AXES 6

/* Each batch has `planes` planes and `count` slices to take from each of them, one after the other;
   `depth` indices name a slice by its place along as many axes. */
struct tinyc_gather_layer {
    int32_t batches, planes, count, depth;
    int32_t extents[TINYC_GATHER_AXES];
    int32_t strides[TINYC_GATHER_AXES]; /* in bytes */
    int32_t plane_bytes, slice;
    const void *data; /* of the kernel for constants, else null */
};

/* An index outside stands for the nearest one inside: nothing else is ever read. */
TINYC_INLINE int32_t tinyc_gather_offset(const struct tinyc_gather_layer *layer, const int32_t *indices) {
    int32_t offset = 0;
    for (int32_t axis = 0; axis < layer->depth; axis++) {
        offset += tinyc_clamp(indices[axis], 0, layer->extents[axis] - 1) * layer->strides[axis];
    }
    return offset;
}

TINYC_INLINE void tinyc_gather_slices(const struct tinyc_gather_layer *layer, const uint8_t *plane,
                                      const int32_t *indices, uint8_t *output) {
    const int32_t step = layer->depth;
    for (int32_t batch = 0; batch < layer->batches; batch++, indices += layer->count * step) {
        for (int32_t left = layer->planes; left > 0; left--, plane += layer->plane_bytes) {
            for (int32_t i = 0; i < layer->count; i++, output += layer->slice) {
                memcpy(output, plane + tinyc_gather_offset(layer, indices + i * step), (size_t)layer->slice);
            }
        }
    }
}

#endif
