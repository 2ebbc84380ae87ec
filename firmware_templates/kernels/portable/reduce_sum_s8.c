TINYC_KERNEL void tinyc_reduce_sum_s8__portable(const struct tinyc_reduce_sum *layer, const int8_t *input,
                                                int8_t *output) {
    int32_t kept[4] = {0, 0, 0, 0}, first = 0;
    for (int32_t o = layer->outputs; o > 0; o--) {
        int32_t reduced[4] = {0, 0, 0, 0}, position = first;
        int32_t sum = layer->sum_offset;
        for (int32_t i = layer->inputs; i > 0; i--) {
            sum += input[position];
            position = tinyc_next_position(layer->reduced, layer->reduced_strides, reduced, position);
        }
        sum = tinyc_requantize(sum, layer->multiplier, layer->shift) + layer->output_offset;
        *output++ = (int8_t)tinyc_clamp(sum, INT8_MIN, INT8_MAX);
        first = tinyc_next_position(layer->kept, layer->kept_strides, kept, first);
    }
}
