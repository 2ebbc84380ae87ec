#ifndef TINYC_MOVE_H
#define TINYC_MOVE_H

#include <stdint.h>
#include <string.h>

#define TINYC_MOVE_AXES 6

/* Moves bytes between two layouts of up to six axes, outermost first. `run` bytes are contiguous in
   both; strides are in bytes and may be negative on the input's side. */
struct tinyc_move {
    int32_t extents[TINYC_MOVE_AXES];
    int32_t input_strides[TINYC_MOVE_AXES];
    int32_t output_strides[TINYC_MOVE_AXES];
    int32_t input_first, output_first, run;
    int32_t output_bytes, fill; /* what PAD writes first */
};

TINYC_INLINE void tinyc_move_row(const struct tinyc_move *layer, const uint8_t *input, uint8_t *output,
                                 int32_t from, int32_t to) {
    const int32_t from_step = layer->input_strides[TINYC_MOVE_AXES - 1];
    const int32_t to_step = layer->output_strides[TINYC_MOVE_AXES - 1];
    const int32_t run = layer->run;
    int32_t left = layer->extents[TINYC_MOVE_AXES - 1];
    if (run == 1) {
        const uint8_t *source = input + from;
        uint8_t *target = output + to;
        while (--left > 0) { /* no step behind the last byte: it may lead out of the array */
            *target = *source;
            source += from_step;
            target += to_step;
        }
        *target = *source;
        return;
    }
    for (; left > 0; left--) {
        memcpy(output + to, input + from, (size_t)run);
        from += from_step;
        to += to_step;
    }
}

TINYC_INLINE void tinyc_move_bytes(const struct tinyc_move *layer, const uint8_t *input, uint8_t *output) {
    int32_t position[TINYC_MOVE_AXES - 1] = {0};
    int32_t from = layer->input_first;
    int32_t to = layer->output_first;
    int32_t axis;
    do {
        tinyc_move_row(layer, input, output, from, to);
        for (axis = TINYC_MOVE_AXES - 2; axis >= 0; axis--) {
            from += layer->input_strides[axis];
            to += layer->output_strides[axis];
            if (++position[axis] < layer->extents[axis]) {
                break;
            }
            from -= layer->input_strides[axis] * layer->extents[axis];
            to -= layer->output_strides[axis] * layer->extents[axis];
            position[axis] = 0;
        }
    } while (axis >= 0);
}

#endif
