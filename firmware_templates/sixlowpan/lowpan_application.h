/*
 * The application of a node without a model: three functions that it defines. Beside them it has all of
 * lowpan_node.h.
 */
#ifndef TINYC_LOWPAN_APPLICATION_H
#define TINYC_LOWPAN_APPLICATION_H

#include <stdint.h>

#include "lowpan_node.h"

/* Once, before anything comes. */
void lowpan_application_start(void);

/*
 * Again and again: after each frame and each message of the serial port, and when so many milliseconds as it
 * returned the last time have gone by.
 */
uint32_t lowpan_application_poll(uint32_t now_ms);

/* And lowpan_receive of lowpan_node.h. */

#endif
