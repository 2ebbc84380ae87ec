/* `before` and `window` are one state, so the frames that stay only move down. */
TINYC_KERNEL void tinyc_stream_window_x8__portable(const struct tinyc_stream_window *layer, const void *input,
                                                   const void *before, void *window) {
    uint8_t *frames = (uint8_t *)window;
    memmove(frames, (const uint8_t *)before + layer->coming, (size_t)layer->kept);
    memcpy(frames + layer->kept, input, (size_t)layer->coming);
}
