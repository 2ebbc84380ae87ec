/* Works in place. */
TINYC_KERNEL void tinyc_log_softmax_f32__portable(const struct tinyc_rows_f32 *layer, const float *input,
                                                  float *output) {
    for (int32_t row = 0; row < layer->rows; row++, input += layer->depth, output += layer->depth) {
        const float largest = tinyc_largest_f32(input, layer->depth);
        float sum = 0.0f;
        for (int32_t i = 0; i < layer->depth; i++) {
            sum += tinyc_float_exp(input[i] - largest);
        }
        const float log_sum = tinyc_float_log(sum);
        for (int32_t i = 0; i < layer->depth; i++) {
            output[i] = input[i] - largest - log_sum;
        }
    }
}
