/* The tokens before the first padding, at least 1. */
TINYC_KERNEL void tinyc_sequence_length_s16__portable(const struct tinyc_sequence_length *layer, const int16_t *ids,
                                                      int32_t *output) {
    int32_t length = 0;
    while (length < layer->longest && ids[length] != layer->padding) {
        length++;
    }
    output[0] = length > 0 ? length : 1;
}
