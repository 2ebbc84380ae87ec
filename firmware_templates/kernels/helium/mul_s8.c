/* Works in place on an operand of the result's size: each element is read before it is written. */
TINYC_KERNEL void tinyc_mul_s8__helium(const struct tinyc_binary *layer, const int8_t *left,
                                       const int8_t *right, int8_t *output) {
    tinyc_mve_binary_layer(layer, left, right, output, tinyc_mve_mul_run);
}
