/* One operand is a constant in flash. Works in place. */
TINYC_KERNEL void tinyc_add_constant_s16__portable(const struct tinyc_add *layer, const int16_t *input,
                                                  int16_t *output) {
    tinyc_add_elements_s16(layer, input, layer->constant, output);
}
