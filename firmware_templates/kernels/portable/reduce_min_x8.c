/* int8_t, or truth values. */
TINYC_KERNEL void tinyc_reduce_min_x8__portable(const struct tinyc_reduce *layer, const void *input,
                                                void *output) {
    const int8_t *x = (const int8_t *)input;
    int8_t *y = (int8_t *)output;
    int32_t kept[4] = {0, 0, 0, 0}, first = 0;
    for (int32_t o = layer->outputs; o > 0; o--) {
        int32_t reduced[4] = {0, 0, 0, 0}, position = first;
        int8_t extreme = x[position];
        for (int32_t i = layer->inputs; i > 0; i--) {
            extreme = x[position] < extreme ? x[position] : extreme;
            position = tinyc_next_position(layer->reduced, layer->reduced_strides, reduced, position);
        }
        *y++ = extreme;
        first = tinyc_next_position(layer->kept, layer->kept_strides, kept, first);
    }
}
