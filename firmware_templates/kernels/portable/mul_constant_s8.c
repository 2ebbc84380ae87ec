/* One operand is a constant in flash. Works in place. */
TINYC_KERNEL void tinyc_mul_constant_s8__portable(const struct tinyc_mul *layer, const int8_t *input,
                                                 int8_t *output) {
    tinyc_mul_elements(layer, input, layer->constant, output);
}
