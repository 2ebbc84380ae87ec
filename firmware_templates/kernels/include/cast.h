#ifndef TINYC_CAST_H
#define TINYC_CAST_H

#include <stdint.h>

struct tinyc_cast {
    int32_t count;
};

#endif
