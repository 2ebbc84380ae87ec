/* Works in place. */
TINYC_KERNEL void tinyc_l2_normalization_f32__portable(const struct tinyc_rows_f32 *layer, const float *input,
                                                       float *output) {
    for (int32_t row = 0; row < layer->rows; row++, input += layer->depth, output += layer->depth) {
        float sum = 0.0f;
        for (int32_t i = 0; i < layer->depth; i++) {
            sum += tinyc_float_product(input[i], input[i]);
        }
        const float root = tinyc_float_sqrt(sum);
        const float length = root < 1e-6f ? 1e-6f : root;
        for (int32_t i = 0; i < layer->depth; i++) {
            output[i] = input[i] / length;
        }
    }
}
