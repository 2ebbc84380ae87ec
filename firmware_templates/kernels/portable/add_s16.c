/* Works in place on an operand of the result's size: each element is read before it is written. */
TINYC_KERNEL void tinyc_add_s16__portable(const struct tinyc_add *layer, const int16_t *left,
                                          const int16_t *right, int16_t *output) {
    tinyc_add_elements_s16(layer, left, right, output);
}
