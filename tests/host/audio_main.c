/*
 * Runs the audio front end of a model called `kws`: records on standard input, features on standard
 * output. A record is a number of pieces, and for each its number of samples and the samples (32 and
 * 16 bits, little-endian). The answer is the frame count and the model's input.
 * Under AddressSanitizer the front end may touch nothing of the arena but its own buffer and the input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio.h"
#include "model.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOST_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HOST_ASAN 1
#endif
#if defined(HOST_ASAN)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

static int read_word(uint32_t *word) {
    return fread(word, sizeof *word, 1, stdin) == 1;
}

int main(void) {
    uint32_t pieces;
    memset(kws_arena(), 0xA5, KWS_ARENA_SIZE);
    ASAN_POISON_MEMORY_REGION(kws_arena(), KWS_ARENA_SIZE);
    ASAN_UNPOISON_MEMORY_REGION(kws_arena() + AUDIO_OFFSET, AUDIO_BYTES);
    ASAN_UNPOISON_MEMORY_REGION(kws_arena() + KWS_INPUT_0_OFFSET, KWS_INPUT_0_SIZE);
    while (read_word(&pieces)) {
        uint32_t frames = 0;
        kws_audio_reset();
        for (uint32_t piece = 0; piece < pieces; piece++) {
            uint32_t count = 0;
            if (!read_word(&count)) {
                return 2;
            }
            int16_t *samples = malloc(count * sizeof *samples + 1);
            if (samples == NULL || fread(samples, sizeof *samples, count, stdin) != count) {
                return 2;
            }
            frames = kws_audio_push(samples, count);
            free(samples);
        }
        fwrite(&frames, sizeof frames, 1, stdout);
        fwrite(kws_input_0(), 1, KWS_INPUT_0_SIZE, stdout);
    }
    return 0;
}
