/* `ring` and `ring_after` are one state, `place` and `place_after` another: all taps are read before a frame is
   written. `place` is where the oldest frame lies, so the next one goes there. */
TINYC_KERNEL void tinyc_stream_taps_x8__portable(const struct tinyc_stream_taps *layer, const void *input,
                                                 const void *ring, const int32_t *place, void *output,
                                                 void *ring_after, int32_t *place_after) {
    const int32_t frame = layer->frame;
    const uint8_t *coming = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)output;
    int32_t at = *place;
    int32_t age = layer->oldest; /* from the newest frame that comes */
    for (int32_t tap = 0; tap < layer->taps; tap++) {
        const uint8_t *from;
        if (age < layer->coming) {
            from = coming + (layer->coming - 1 - age) * frame;
        } else {
            int32_t slot = at + layer->oldest - age;
            if (slot >= layer->held) {
                slot -= layer->held;
            }
            from = (const uint8_t *)ring + slot * frame;
        }
        memcpy(to, from, (size_t)frame);
        to += frame;
        age -= layer->apart;
    }
    for (int32_t index = 0; index < layer->coming; index++) {
        memcpy((uint8_t *)ring_after + at * frame, coming + index * frame, (size_t)frame);
        at = at + 1 < layer->held ? at + 1 : 0;
    }
    *place_after = at;
}
