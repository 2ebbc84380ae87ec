/* Windows of pools. */
#ifndef TINYC_MVE_POOL_H
#define TINYC_MVE_POOL_H

#include "pool_2d.h"
#include "tinyc_mve.h"

/* A window; one that lies in one piece is a single row. */
TINYC_INLINE struct tinyc_window tinyc_mve_solid_window(const struct tinyc_pool_2d *layer, int32_t y,
                                                        int32_t x) {
    struct tinyc_window window = tinyc_pool_window(layer, y, x);
    if (window.row_step == 0) {
        window.columns *= window.rows;
        window.rows = 1;
    }
    return window;
}

#endif
