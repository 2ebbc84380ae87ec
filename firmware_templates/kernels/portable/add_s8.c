/* Works in place on an operand of the result's size: each element is read before it is written. */
TINYC_KERNEL void tinyc_add_s8__portable(const struct tinyc_add *layer, const int8_t *left,
                                        const int8_t *right, int8_t *output) {
    tinyc_add_elements(layer, left, right, output);
}
