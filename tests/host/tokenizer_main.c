/* Reads texts from standard input and writes their token ids, for the tests of the tokenizer.
 * In: bytes (u32), capacity (i32), the text. Out: count (i32), that many int16. Native byte order.
 * Text and ids lie in blocks of exactly their size, so that AddressSanitizer sees every step outside. */
#include "tokenizer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    uint32_t bytes;
    int32_t capacity;
    while (fread(&bytes, sizeof bytes, 1, stdin) == 1) {
        if (fread(&capacity, sizeof capacity, 1, stdin) != 1) {
            return 1;
        }
        uint8_t *const text = bytes > 0 ? malloc(bytes) : NULL;
        int16_t *const ids = capacity > 0 ? malloc((size_t)capacity * sizeof *ids) : NULL;
        if (fread(text, 1, bytes, stdin) != bytes) {
            return 2;
        }
        const int32_t count = tinyc_tokenize(text, bytes, ids, capacity);
        fwrite(&count, sizeof count, 1, stdout);
        if (count > 0) {
            fwrite(ids, sizeof *ids, (size_t)count, stdout);
        }
        free(text);
        free(ids);
    }
    return 0;
}
