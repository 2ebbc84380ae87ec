#ifndef FAKE_AUDIO_H
#define FAKE_AUDIO_H

#include <stdint.h>

void fake_audio_reset(void);
uint32_t fake_audio_push(const int16_t *samples, uint32_t count);

#endif
