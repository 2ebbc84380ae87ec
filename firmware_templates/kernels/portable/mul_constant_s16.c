/* One operand is a constant in flash. Works in place. */
TINYC_KERNEL void tinyc_mul_constant_s16__portable(const struct tinyc_mul *layer, const int16_t *input,
                                                  int16_t *output) {
    tinyc_mul_elements_s16(layer, input, layer->constant, output);
}
