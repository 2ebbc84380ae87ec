/*
 * Inference over the air: a UDP datagram on LOWPAN_PORT carries an input or a part of one, and the answer goes back
 * to where it came from. The format is in docs/reference/lowpan-protocol.md.
 */
#ifndef TINYC_LOWPAN_MODEL_H
#define TINYC_LOWPAN_MODEL_H

#include <stdint.h>

void lowpan_model_start(void);

/* Runs the model where an input is complete, and sends what is to be answered. Returns when to call it again, in ms. */
uint32_t lowpan_model_poll(uint32_t now_ms);

/*
 * The serial port asks for the model: it shares the arena, and comes first. What was under way over the air has to be
 * sent anew, and for a second the radio is told that the model is busy.
 */
void lowpan_model_serial(uint32_t now_ms);

struct lowpan_model_counters {
    uint32_t requests, answers, refused;
};
const struct lowpan_model_counters *lowpan_model_counters(void);

#endif
