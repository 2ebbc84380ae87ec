/* Long runs are written in order, and what lies between them filled: every byte once. The input is read
 * from its first byte to its last. */
TINYC_INLINE void tinyc_pad_runs(const struct tinyc_move *layer, const uint8_t *from, uint8_t *output) {
    int32_t position[TINYC_MOVE_AXES] = {0};
    uint8_t *done = output, *const end = output + layer->output_bytes;
    int32_t to = layer->output_first, axis;
    do {
        uint8_t *const run = output + to;
        memset(done, (int)layer->fill, (size_t)(run - done));
        memcpy(run, from, (size_t)layer->run);
        from += layer->run;
        done = run + layer->run;
        for (axis = TINYC_MOVE_AXES - 1; axis >= 0; axis--) {
            to += layer->output_strides[axis];
            if (++position[axis] < layer->extents[axis]) {
                break;
            }
            to -= layer->output_strides[axis] * layer->extents[axis];
            position[axis] = 0;
        }
    } while (axis >= 0);
    memset(done, (int)layer->fill, (size_t)(end - done));
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
