/* Weights of four bits for ARMv7E-M: a word of eight gives four pairs of halves, which SMLAD takes.
 *
 * Nothing extends the sign of four bits, so the words hold each weight plus 8. That adds 8 times the sum of
 * the inputs to every product of a row, the same for all channels: sums begin less that much. */
#ifndef TINYC_NIBBLE_WORDS_H
#define TINYC_NIBBLE_WORDS_H

#include <stdint.h>

#include "tinyc_dsp.h"

/* What each pair keeps of a word. Opaque, so that it stays in a register and the shift is part of the AND. */
TINYC_INLINE uint32_t tinyc_nibble_mask(void) {
    uint32_t mask = 0x000f000fu;
    TINYC_OPAQUE(mask);
    return mask;
}

/* -8 times the inputs in the halves of a word, added to `sum`. */
TINYC_INLINE uint32_t tinyc_nibble_offset(uint32_t inputs, uint32_t sum) {
    return tinyc_smlad(inputs, 0xfff8fff8u, sum);
}

#endif
