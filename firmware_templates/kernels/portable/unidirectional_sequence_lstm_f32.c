/* What goes into a gate of one unit. */
TINYC_INLINE float tinyc_lstm_gate_f32(const struct tinyc_lstm_f32 *layer, int32_t gate, int32_t unit,
                                       const float *input, const float *hidden) {
    const int32_t row = gate * layer->units + unit;
    const float inner = tinyc_product_sum_f32(input, layer->weights + row * layer->inputs, layer->inputs);
    const float outer = tinyc_product_sum_f32(hidden, layer->recurrent + row * layer->units, layer->units);
    return inner + layer->bias[row] + outer;
}

/* One step of one sequence: the cell in place, the new hidden state beside the old one. */
TINYC_INLINE void tinyc_lstm_step_f32(const struct tinyc_lstm_f32 *layer, const float *input,
                                      const float *hidden, float *cell, float *output) {
    for (int32_t unit = 0; unit < layer->units; unit++) {
        float gates[4];
        for (int32_t gate = 0; gate < 4; gate++) {
            const float x = tinyc_lstm_gate_f32(layer, gate, unit, input, hidden);
            gates[gate] = gate == 2 ? tinyc_float_tanh(x) : tinyc_float_logistic(x);
        }
        const float kept = tinyc_float_product(gates[1], cell[unit]);
        const float added = tinyc_float_product(gates[0], gates[2]);
        cell[unit] = tinyc_clamp_f32(kept + added, -layer->clip, layer->clip);
        output[unit] = tinyc_float_product(gates[3], tinyc_float_tanh(cell[unit]));
    }
}

/* The states lie where they lay before. */
TINYC_KERNEL void tinyc_unidirectional_sequence_lstm_f32__portable(
    const struct tinyc_lstm_f32 *layer, const float *input, const float *hidden_before,
    const float *cell_before, float *output, float *hidden, float *cell) {
    (void)hidden_before;
    (void)cell_before;
    for (int32_t step = 0; step < layer->steps; step++) {
        for (int32_t batch = 0; batch < layer->batches; batch++) {
            const int32_t row =
                layer->time_major ? step * layer->batches + batch : batch * layer->steps + step;
            float *y = output + row * layer->units, *kept = hidden + batch * layer->units;
            tinyc_lstm_step_f32(layer, input + row * layer->inputs, kept, cell + batch * layer->units, y);
            memcpy(kept, y, (size_t)layer->units * sizeof *y);
        }
    }
}
