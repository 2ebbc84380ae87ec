#ifndef TINYC_TOKENIZER_H
#define TINYC_TOKENIZER_H

#include <stdint.h>

#define TINYC_TOKENIZER_MAX_LENGTH 50

int32_t tinyc_tokenize(const uint8_t *text, uint32_t bytes, int16_t *ids, int32_t capacity);

#endif
