/* Long runs are written in order, and what lies between them filled: every byte once. The input is read
 * from its first byte to its last. */
TINYC_INLINE void tinyc_pad_runs(const struct tinyc_move *layer, const uint8_t *from, uint8_t *output) {
    const int32_t last = TINYC_MOVE_AXES - 1;
    const int32_t step = layer->output_strides[last], extent = layer->extents[last];
    const size_t run = (size_t)layer->run;
    int32_t position[TINYC_MOVE_AXES] = {0};
    uint8_t *done = output, *to = output + layer->output_first;
    int32_t axis;
    do {
        uint8_t *target = to;
        for (int32_t left = extent; left > 0; left--, from += run, target += step) {
            memset(done, (int)layer->fill, (size_t)(target - done));
            memcpy(target, from, run);
            done = target + run;
        }
        for (axis = last - 1; axis >= 0; axis--) {
            to += layer->output_strides[axis];
            if (++position[axis] < layer->extents[axis]) {
                break;
            }
            to -= layer->output_strides[axis] * layer->extents[axis];
            position[axis] = 0;
        }
    } while (axis >= 0);
    memset(done, (int)layer->fill, (size_t)(output + layer->output_bytes - done));
}

/* Elements of any size whose zero point is made of equal bytes. Axes from the outermost. */
TINYC_KERNEL void tinyc_pad_x8__portable(const struct tinyc_move *layer, const void *input, void *output) {
    if (layer->run >= 16) {
        tinyc_pad_runs(layer, (const uint8_t *)input, (uint8_t *)output);
        return;
    }
    memset(output, (int)layer->fill, (size_t)layer->output_bytes);
    tinyc_move_bytes(layer, (const uint8_t *)input, (uint8_t *)output);
}
