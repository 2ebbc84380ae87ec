/*
 * A model in an image of its own, and the firmware that runs it. Model and firmware are compiled apart and agree
 * by this file: TINYC_MODEL_FORMAT changes with it.
 */
#ifndef TINYC_MODEL_H
#define TINYC_MODEL_H

#include <stdint.h>

#define TINYC_MODEL_MAGIC 0x4C444D54u /* "TMDL" */
#define TINYC_MODEL_FORMAT 1u
/* As many different kernels one model may need; the firmware has a byte of RAM for each. */
#define TINYC_MODEL_KERNELS 64u
#define TINYC_DIGEST_BYTES 8u

/* Bytes of the arena. */
struct tensor_place {
    uint32_t offset;
    uint32_t size;
};

/* One layer. */
struct tinyc_step {
    const void *params;     /* the struct that the kernel wants */
    const uint32_t *places; /* offsets in the arena: inputs, outputs, scratch */
    uint32_t kernel;        /* index into the model's table of kernels */
};

/* What the audio front end needs to know of the model that hears. */
struct tinyc_features {
    uint32_t offset; /* of its state and scratch in the arena */
    int32_t multiplier;
    int32_t shift;
    int32_t zero_point;
};

/* The first bytes of an image's body. Pointers are absolute: a body belongs to one slot. */
struct tinyc_model {
    uint32_t magic;
    uint32_t format;
    const uint8_t *end; /* of the body */
    uint32_t layer_count;
    uint32_t kernel_count;
    uint32_t input_count;
    uint32_t output_count;
    uint32_t input_bytes; /* of all inputs together */
    uint32_t output_bytes;
    uint32_t name_bytes;
    uint32_t version_bytes;
    struct tensor_place arena; /* all that the model uses, from offset 0 on */
    const struct tinyc_step *steps;
    const uint8_t (*kernels)[TINYC_DIGEST_BYTES]; /* digests of what the steps call */
    const struct tensor_place *inputs;
    const struct tensor_place *outputs;
    const char *name; /* not terminated */
    const char *version;
    struct tinyc_features features;
    uint8_t front_end[TINYC_DIGEST_BYTES]; /* of the front end that fills the first input; zeros: none */
    uint8_t digest[32];
};

/* Why a slot has no model for this firmware. */
enum model_fault {
    MODEL_RUNS = 0,
    MODEL_ABSENT = 1,    /* no magic where a body begins */
    MODEL_FORMAT = 2,    /* numbers */
    MODEL_DAMAGED = 3,   /* it points out of its body or its arena */
    MODEL_KERNEL = 4,    /* wanted: the first kernel that is missing; there: the whole kernel set */
    MODEL_ARENA = 5,     /* bytes */
    MODEL_FRONT_END = 6, /* digests */
    MODEL_UNASKED = 7,   /* the other slot's model is the one to use */
    MODEL_INVALID = 8    /* the bootloader found no image that it trusts */
};

struct model_refusal {
    uint32_t fault;
    uint32_t bytes; /* of each of the two: numbers have 4, little endian */
    uint8_t wanted[TINYC_DIGEST_BYTES];
    uint8_t there[TINYC_DIGEST_BYTES];
};

/* The model that runs, or 0 when no slot has one for this firmware. Decided when first asked. */
const struct tinyc_model *tinyc_model_active(void);

/* Whether the body at `address` runs on this firmware; its kernels are looked up on the way. */
uint32_t model_fits(uintptr_t address, struct model_refusal *why);

/* Of slot 0 or 1, once `tinyc_model_active` was asked. */
const struct model_refusal *model_refusal(uint32_t slot);

/* The kernel set, sorted by name: digests, and how many places each takes. */
extern const uint8_t model_kernel_digests[][TINYC_DIGEST_BYTES];
extern const uint8_t model_kernel_places[];
/* What the entries of the running model's table of kernels are in the set. */
extern uint8_t model_kernel_cases[TINYC_MODEL_KERNELS];

uint8_t *model_arena(void);

/* Run all layers, or one of them. There must be a model; a layer number out of range does nothing. */
void model_invoke(void);
void model_run_layer(uint32_t layer);

/* Words of the front ends. */
#define MODEL_INPUT_0_OFFSET (tinyc_model_active()->inputs[0].offset)
#define MODEL_FEATURES (tinyc_model_active()->features)

#endif
