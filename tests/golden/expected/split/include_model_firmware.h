/*
 * What this firmware offers to a model. Generated, do not edit.
 */
#ifndef TINYC_MODEL_FIRMWARE_H
#define TINYC_MODEL_FIRMWARE_H

/* Where the bodies of the two slots begin, behind the headers of their images, and the most bytes of one. */
#define MODEL_BODY_0 0x00067200u
#define MODEL_BODY_1 0x000ae200u
#define MODEL_BODY_BYTES 285184u

/* The most that a model's arena may have. */
#define MODEL_ARENA_BYTES 19u

/* How many kernels there are, and the digest of all of them. */
#define MODEL_KERNEL_COUNT 1u
#define MODEL_KERNEL_SET digest

/* What fills the model's first input from sound or text: its digest, the bytes of that input, and those that it
 * needs in the arena. Zeros: nothing does. */
#define MODEL_FRONT_END_DIGEST 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00
#define MODEL_FRONT_END_INPUT 0u
#define MODEL_FRONT_END_BYTES 0u

#endif
