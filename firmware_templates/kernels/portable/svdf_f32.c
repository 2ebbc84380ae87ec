/* `before` and `state` are one memory: each filter drops its oldest entry. */
TINYC_KERNEL void tinyc_svdf_f32__portable(const struct tinyc_svdf_f32 *layer, const float *input,
                                           const float *before, float *output, float *state) {
    const int32_t last = layer->memory - 1;
    for (int32_t batch = 0; batch < layer->batches; batch++) {
        const float *features = layer->features, *times = layer->times;
        for (int32_t unit = 0; unit < layer->units; unit++) {
            float acc = layer->bias[unit];
            for (int32_t r = 0; r < layer->rank; r++) {
                for (int32_t m = 0; m < last; m++) {
                    state[m] = before[m + 1];
                }
                state[last] = tinyc_product_sum_f32(input, features, layer->inputs);
                acc += tinyc_product_sum_f32(times, state, layer->memory);
                features += layer->inputs;
                times += layer->memory;
                before += layer->memory;
                state += layer->memory;
            }
            *output++ = tinyc_clamp_f32(acc, layer->low, layer->high);
        }
        input += layer->inputs;
    }
}
