/* Elements of any size; only their bytes matter. */
TINYC_KERNEL void tinyc_take_x8_tables__portable(const struct tinyc_take *layer, const void *input, void *output) {
    const int32_t last = TINYC_TAKE_AXES - 1, run = layer->run;
    const int32_t *tables[TINYC_TAKE_AXES];
    int32_t position[TINYC_TAKE_AXES] = {0};
    uint8_t *to = (uint8_t *)output;
    int32_t axis;
    tables[0] = layer->offsets;
    for (axis = 0; axis < last; axis++) {
        tables[axis + 1] = tables[axis] + layer->extents[axis];
    }
    do {
        const uint8_t *from = (const uint8_t *)input;
        for (axis = 0; axis < last; axis++) {
            from += tables[axis][position[axis]];
        }
        for (int32_t i = 0; i < layer->extents[last]; i++, to += run) {
            if (run == 1) {
                *to = from[tables[last][i]];
            } else {
                memcpy(to, from + tables[last][i], (size_t)run);
            }
        }
        for (axis = last - 1; axis >= 0 && ++position[axis] == layer->extents[axis]; axis--) {
            position[axis] = 0;
        }
    } while (axis >= 0);
}
