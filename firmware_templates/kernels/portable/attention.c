/* The scratch holds the scores of one row and head. */
TINYC_KERNEL void tinyc_attention__portable(const struct tinyc_attention *layer, const void *const *inputs,
                                            void *output, void *scratch, const struct tinyc_tile *tile) {
    const int8_t *queries = inputs[0], *keys = inputs[1], *values = inputs[2];
    const int32_t depth = layer->depth, width = layer->width;
    const int32_t key_step = layer->heads * depth, value_step = layer->heads * width;
    int32_t *scores = scratch;
    for (int32_t row = 0; row < tile->count; row++) {
        const int32_t seen = layer->causal ? tile->first + row + 1 : tile->length;
        for (int32_t head = 0; head < layer->heads; head++) {
            const int8_t *q = queries + row * key_step + head * depth;
            int32_t largest = INT32_MIN;
            for (int32_t key = 0; key < seen; key++) {
                int32_t sum = 0;
                for (int32_t i = 0; i < depth; i++) {
                    sum += q[i] * keys[key * key_step + head * depth + i];
                }
                scores[key] = sum;
                largest = sum > largest ? sum : largest;
            }
            uint32_t total = 0;
            for (int32_t key = 0; key < seen; key++) {
                scores[key] = (int32_t)tinyc_numerator(largest - scores[key], layer->score_multiplier, layer->powers);
                total += (uint32_t)scores[key];
            }
            const struct tinyc_context_scale scale = tinyc_context_scale(total, layer->context_multiplier);
            for (int32_t i = 0; i < width; i++) {
                int32_t sum = 0;
                for (int32_t key = 0; key < seen; key++) {
                    sum += scores[key] * values[key * value_step + head * width + i];
                }
                tinyc_set_element(output, layer->output_wide, row * value_step + head * width + i,
                                  tinyc_context((uint32_t)sum, scale, layer->context_shift));
            }
        }
    }
}
