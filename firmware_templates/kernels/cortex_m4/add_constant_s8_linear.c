/* One operand is a constant in flash. Works in place. */
TINYC_KERNEL void tinyc_add_constant_s8_linear__cortex_m4(const struct tinyc_binary *layer, const int8_t *input,
                                                     int8_t *output) {
    tinyc_binary_layer(layer, input, layer->constant, output, tinyc_add_linear_run);
}
