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

#endif
