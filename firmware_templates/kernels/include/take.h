#ifndef TINYC_TAKE_H
#define TINYC_TAKE_H

#include <stdint.h>
#include <string.h>

#define TINYC_TAKE_AXES 6

/* Picks runs of `run` bytes at the sums of one offset per axis, outermost first. `offsets` holds the
   offsets in bytes of all axes, one axis after the other. */
struct tinyc_take {
    int32_t extents[TINYC_TAKE_AXES];
    int32_t run;
    const int32_t *offsets;
};

#endif
