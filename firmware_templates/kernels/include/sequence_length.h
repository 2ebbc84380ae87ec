#ifndef TINYC_SEQUENCE_LENGTH_H
#define TINYC_SEQUENCE_LENGTH_H

#include "tinyc_fixed_point.h"

struct tinyc_sequence_length {
    int32_t longest, padding;
};

#endif
