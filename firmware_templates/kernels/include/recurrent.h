#ifndef TINYC_RECURRENT_H
#define TINYC_RECURRENT_H

#include <stdint.h>

struct tinyc_svdf {
    int32_t batches, inputs, units, rank, memory;
    int32_t input_offset, output_offset, state_zero_point;
    int32_t state_multiplier, state_shift;   /* from products with the input to the state */
    int32_t output_multiplier, output_shift; /* from products with the state to the output */
    const int8_t *features;                  /* [units][rank][inputs] */
    const void *times;                       /* [units][rank][memory], of the state's type */
    const int32_t *bias;
};

/* The gates are input, forget, cell and output. With int16 activations sums have 64 bits, and what scales them
   is as in sums_s16.h. */
struct tinyc_lstm {
    int32_t batches, steps, inputs, units;
    int32_t time_major;
    int32_t input_offset, hidden_offset; /* minus the zero points */
    int32_t input_multiplier[4], input_shift[4];
    int32_t recurrent_multiplier[4], recurrent_shift[4];
    int32_t forget_multiplier, forget_shift;
    int32_t update_multiplier, update_shift;
    int32_t hidden_multiplier, hidden_shift;
    int32_t tanh_multiplier, tanh_shift; /* of the cell; the shift goes to the right */
    int32_t clip;             /* of the cell, 0: none */
    const int8_t *weights;    /* [4][units][inputs] */
    const int8_t *recurrent;  /* [4][units][units] */
    const void *bias;         /* [4][units], int32_t, or int64_t with int16 activations */
    const uint16_t *table;    /* of the logistic function */
};

#endif
