#ifndef TINYC_STREAMS_H
#define TINYC_STREAMS_H

#include <stdint.h>
#include <string.h>

/* STREAM_WINDOW: bytes of the frames that stay, and of those that come. */
struct tinyc_stream_window {
    int32_t kept, coming;
};

/* STREAM_TAPS: bytes of a frame, frames that come and that the ring holds; the ages of the taps. */
struct tinyc_stream_taps {
    int32_t frame, coming, held;
    int32_t oldest, apart, taps;
};

/* STREAM_SUM: frames that come, elements of each that make one sum, sums of each, frames that the ring holds.
   As MEAN or SUM the total of all of them is requantized. */
struct tinyc_stream_sum {
    int32_t coming, inside, sums, held;
    int32_t sum_offset; /* minus the zero points */
    int32_t multiplier, shift;
    int32_t output_offset;
    int32_t low, high;
};

/* As AVERAGE_POOL_2D it is divided by the `count` of its elements, ties away from zero. */
struct tinyc_stream_pool {
    int32_t coming, inside, sums, held;
    int32_t count;
    int32_t low, high;
};

TINYC_INLINE int32_t tinyc_stream_sum_finish(const struct tinyc_stream_sum *layer, int32_t total) {
    const int32_t scaled = tinyc_requantize(total + layer->sum_offset, layer->multiplier, layer->shift);
    return tinyc_clamp(scaled + layer->output_offset, layer->low, layer->high);
}

TINYC_INLINE int32_t tinyc_stream_pool_finish(const struct tinyc_stream_pool *layer, int32_t total) {
    const int32_t half = layer->count / 2;
    return tinyc_clamp((total > 0 ? total + half : total - half) / layer->count, layer->low, layer->high);
}

#endif
