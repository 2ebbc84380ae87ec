/* Works in place on an operand of the result's size: each element is read before it is written. */
TINYC_KERNEL void tinyc_mul_s16__portable(const struct tinyc_mul *layer, const int16_t *left,
                                          const int16_t *right, int16_t *output) {
    tinyc_mul_elements_s16(layer, left, right, output);
}
