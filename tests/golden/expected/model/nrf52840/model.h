/*
 * Model `tiny net`, compiled by tinyc 0.1.0 for board `nrf52840`.
 * Digest a62c487b6cf795f84166eacd467fb453f4a4eaba6c392ba01c0a313cbe41e443
 * Generated, do not edit.
 *
 * Fill the input, call tiny_net_invoke(), read the output. Not reentrant: one arena holds every
 * activation, and an inference overwrites the input.
 */
#ifndef TINY_NET_MODEL_H
#define TINY_NET_MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the arena and number of layers. */
#define TINY_NET_ARENA_SIZE 19u
#define TINY_NET_LAYER_COUNT 2u

/* Inputs and outputs: bytes, and the offset in the arena. */
#define TINY_NET_INPUT_COUNT 1u
#define TINY_NET_INPUT_0_SIZE 4u
#define TINY_NET_INPUT_0_OFFSET 0u
#define TINY_NET_OUTPUT_COUNT 1u
#define TINY_NET_OUTPUT_0_SIZE 2u
#define TINY_NET_OUTPUT_0_OFFSET 0u

/* SHA-256 of the model: graph and constants. */
extern const uint8_t tiny_net_digest[32];

/* The memory of all activations, 16-byte aligned. */
uint8_t *tiny_net_arena(void);

/* Run all layers, or one of them. A layer number out of range does nothing. */
void tiny_net_invoke(void);
void tiny_net_run_layer(uint32_t layer);

/* Input 0: int8[1, 4], real = 0.5 * (quantized + 3). */
int8_t *tiny_net_input(void);
int8_t *tiny_net_input_0(void);
void tiny_net_quantize_input(const float *real, int8_t *quantized);

/* Output 0: int8[1, 2], real = 0.125 * (quantized - 7). */
const int8_t *tiny_net_output(void);
const int8_t *tiny_net_output_0(void);
void tiny_net_dequantize_output(const int8_t *quantized, float *real);

#ifdef __cplusplus
}
#endif

#endif
