/* One operand is a constant in flash. Works in place. */
TINYC_KERNEL void tinyc_mul_constant_s8__helium(const struct tinyc_binary *layer, const int8_t *input,
                                                int8_t *output) {
    tinyc_mve_binary_layer(layer, input, layer->constant, output, tinyc_mve_mul_run);
}
