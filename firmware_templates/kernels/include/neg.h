#ifndef TINYC_NEG_H
#define TINYC_NEG_H

#include <stdint.h>

struct tinyc_neg {
    int32_t count;
};

#endif
