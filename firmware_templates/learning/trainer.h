/*
 * Trains a small dense network of float32 on the device, one sample at a time: the inner loop of TinyReptile
 * and TinyMetaFed. A sample is learned from and forgotten. What a round changed is encoded here as well.
 *
 * Parameters lie as one vector: for each layer from the input on W (outputs x inputs, row-major), then b.
 * All arithmetic is float32, one rounding an operation, in the order written; its twin in Python is
 * tinyc/learning/federation/trainer.py.
 */
#ifndef TINYC_TRAINER_H
#define TINYC_TRAINER_H

#include <stdint.h>

/* Units of the hidden layers; the last layer has none. */
#define TRAINER_TANH 0u
#define TRAINER_RELU 1u
#define TRAINER_LEAKY 2u /* 0.125 x below zero */

/* The gradient of the output is y - t, or p - onehot(label). */
#define TRAINER_MSE 0u
#define TRAINER_SOFTMAX 1u

#include "trainer_config.h"

/* A sample on the wire: the inputs, and the targets or the label. All are words of 4 bytes. */
#define TRAINER_TARGETS (TRAINER_LOSS == TRAINER_SOFTMAX ? 1u : TRAINER_OUTPUTS)
#define TRAINER_RECORD_BYTES (4u * (TRAINER_INPUTS + TRAINER_TARGETS))
#define TRAINER_PARAMETER_BYTES (4u * TRAINER_PARAMETERS)

enum trainer_state {
    TRAINER_IDLE = 0,     /* since the start, and after what went wrong */
    TRAINER_TRAINING = 1, /* a round has begun */
    TRAINER_ENCODED = 2   /* its delta lies ready; the trained parameters are gone */
};

enum trainer_result {
    TRAINER_DONE,
    TRAINER_NO_ROUND,     /* none has begun, as after a restart */
    TRAINER_OUT_OF_RANGE, /* a place, a label or a number */
    TRAINER_NOT_FINITE,   /* training diverged; the round is over */
    TRAINER_OTHER_START   /* the start is not the one that was meant */
};

/* Where the last layer of a round comes from: it is sent, begins at zero, or is that of the round before. */
enum trainer_head { TRAINER_HEAD_SHARED = 0, TRAINER_HEAD_ZERO = 1, TRAINER_HEAD_KEPT = 2 };

struct trainer_stats {
    uint32_t state;
    uint32_t round;    /* the number that came with it */
    uint32_t samples;  /* learned from in this round */
    uint32_t position; /* bytes of samples taken in this round */
    float loss;        /* sum over the samples: mean squared error, or 1 - p of the label */
};

struct trainer_round {
    uint32_t round;
    float rate;            /* of the steps */
    uint32_t head_samples; /* so many at first move the last layer only */
    uint32_t head;         /* enum trainer_head */
    uint32_t start_bytes;  /* so many of the start, and their CRC-32 */
    uint32_t start_crc;
};

const struct trainer_stats *trainer_stats(void);

/*
 * Writes a part of the start of the next round, in bytes; ends the round that goes on. With
 * TRAINER_KEEPS_START the start is kept through the round.
 */
uint32_t trainer_write(uint32_t offset, const uint8_t *data, uint32_t size);

/* What is being trained; the start when there is no round, with the own last layer where that is kept. */
const uint8_t *trainer_parameter_bytes(void);

uint32_t trainer_begin(const struct trainer_round *asked);

/*
 * Samples from byte `position` of the round on, cut anywhere. Bytes that were taken already are passed over,
 * so the same call twice does no harm.
 */
uint32_t trainer_take(uint32_t position, const uint8_t *data, uint32_t size);

#if TRAINER_KEEPS_START
/*
 * What the round changed in the first `layers` layers: the `keep` largest entries as int8, in the bytes of
 * tinyc/learning/federation/codec.py. Ends the training. Without it the whole vector is read instead.
 */
uint32_t trainer_encode(uint32_t layers, uint32_t keep);
const uint8_t *trainer_encoded(uint32_t *size);
#endif

#endif
