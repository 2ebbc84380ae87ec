/* What goes into a gate of one unit, in steps of 2^-12. */
TINYC_INLINE int32_t tinyc_lstm_gate(const struct tinyc_lstm *layer, int32_t gate, int32_t unit,
                                     const int8_t *input, const int8_t *hidden) {
    const int32_t row = gate * layer->units + unit;
    const int8_t *weights = layer->weights + row * layer->inputs;
    const int8_t *recurrent = layer->recurrent + row * layer->units;
    uint32_t inner = (uint32_t)layer->bias[row], outer = 0;
    for (int32_t i = 0; i < layer->inputs; i++) {
        inner += (uint32_t)((input[i] + layer->input_offset) * weights[i]);
    }
    for (int32_t i = 0; i < layer->units; i++) {
        outer += (uint32_t)((hidden[i] + layer->hidden_offset) * recurrent[i]);
    }
    const int32_t x =
        tinyc_requantize((int32_t)inner, layer->input_multiplier[gate], layer->input_shift[gate]);
    const int32_t h =
        tinyc_requantize((int32_t)outer, layer->recurrent_multiplier[gate], layer->recurrent_shift[gate]);
    const int32_t sum =
        tinyc_clamp(x, INT16_MIN, INT16_MAX) + tinyc_clamp(h, INT16_MIN, INT16_MAX);
    return 3 * tinyc_clamp(sum, INT16_MIN, INT16_MAX);
}

/* One step of one sequence: the cell in place, the new hidden state beside the old one. */
TINYC_INLINE void tinyc_lstm_step(const struct tinyc_lstm *layer, const int8_t *input, const int8_t *hidden,
                                  int16_t *cell, int8_t *output) {
    const uint16_t *table = layer->table;
    for (int32_t unit = 0; unit < layer->units; unit++) {
        const int32_t update = tinyc_logistic(tinyc_lstm_gate(layer, 0, unit, input, hidden), table);
        const int32_t forget = tinyc_logistic(tinyc_lstm_gate(layer, 1, unit, input, hidden), table);
        const int32_t candidate = tinyc_tanh(tinyc_lstm_gate(layer, 2, unit, input, hidden), table);
        const int32_t opened = tinyc_logistic(tinyc_lstm_gate(layer, 3, unit, input, hidden), table);
        const int32_t kept =
            tinyc_requantize(forget * cell[unit], layer->forget_multiplier, layer->forget_shift);
        const int32_t added =
            tinyc_requantize(update * candidate, layer->update_multiplier, layer->update_shift);
        int32_t sum = tinyc_clamp(kept, INT16_MIN, INT16_MAX) + tinyc_clamp(added, INT16_MIN, INT16_MAX);
        sum = tinyc_clamp(sum, INT16_MIN, INT16_MAX);
        if (layer->clip > 0) {
            sum = tinyc_clamp(sum, -layer->clip, layer->clip);
        }
        cell[unit] = (int16_t)sum;
        const int32_t shown =
            tinyc_tanh(tinyc_sigmoid_input(sum, layer->tanh_multiplier, layer->tanh_shift), table);
        const int32_t y = tinyc_requantize(shown * opened, layer->hidden_multiplier, layer->hidden_shift);
        output[unit] = (int8_t)tinyc_clamp(y - layer->hidden_offset, INT8_MIN, INT8_MAX);
    }
}

/* The states lie where they lay before. */
TINYC_KERNEL void tinyc_unidirectional_sequence_lstm_s8__portable(
    const struct tinyc_lstm *layer, const int8_t *input, const int8_t *hidden_before,
    const int16_t *cell_before, int8_t *output, int8_t *hidden, int16_t *cell) {
    (void)hidden_before;
    (void)cell_before;
    for (int32_t step = 0; step < layer->steps; step++) {
        for (int32_t batch = 0; batch < layer->batches; batch++) {
            const int32_t row =
                layer->time_major ? step * layer->batches + batch : batch * layer->steps + step;
            int8_t *y = output + row * layer->units;
            int8_t *kept = hidden + batch * layer->units;
            tinyc_lstm_step(layer, input + row * layer->inputs, kept, cell + batch * layer->units, y);
            memcpy(kept, y, (size_t)layer->units);
        }
    }
}
