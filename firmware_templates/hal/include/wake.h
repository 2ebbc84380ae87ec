/*
 * Sleep of a firmware that serves a radio and the serial port.
 */
#ifndef TINYC_WAKE_H
#define TINYC_WAKE_H

#include <stdint.h>

/*
 * Sleeps until the radio has done something since it was asked for `seen` (radio_activity), a byte comes over the
 * serial port, or so many milliseconds have gone by; at most WAKE_LONGEST. Returns at once where something is
 * there already.
 */
#define WAKE_LONGEST 1000u
void wake_wait(uint32_t seen, uint32_t milliseconds);

#endif
