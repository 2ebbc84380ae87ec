#ifndef TINYC_TOKEN_LAYERS_M4_H
#define TINYC_TOKEN_LAYERS_M4_H

#include "tinyc_tile_m4.h"
#include "token_layers.h"

/* As tinyc_embedding. A row of `weights` holds those of tokens and positions, each padded to whole chunks;
 * units are padded to an even number. */
struct tinyc_embedding_rows {
    struct tinyc_embedding embedding;
    int32_t chunks;
    const int8_t *weights;
};

#endif
