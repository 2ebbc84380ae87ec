/*
 * Models in slots of their own, as the Image group asks for them. Only firmware whose map has such slots.
 */
#ifndef TINYC_MODEL_USE_H
#define TINYC_MODEL_USE_H

#include <stdint.h>

#define MODEL_NO_SLOT 2u

/* The slot that the bootloader chose, also where the firmware refuses its model. */
uint32_t model_in_use(void);

/* Whether that is for this boot alone, as long as nobody confirms it. */
uint32_t model_on_trial(void);

/* Whether the firmware runs a model that lies in this slot. */
uint32_t model_would_run(uint32_t slot);

#endif
