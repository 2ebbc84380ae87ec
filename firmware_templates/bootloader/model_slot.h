/*
 * Which of the two models to use, where the map has slots for them.
 */
#ifndef TINYC_MODEL_SLOT_H
#define TINYC_MODEL_SLOT_H

#include <stdint.h>

#include "boot_report.h"

/*
 * The address of the image of the model to use, or 0. After boot_decide(), and only when the application is
 * started: a trial is one boot. Adds to the report where a request is refused or a model taken back, and
 * whether the model is on trial.
 */
uint32_t model_decide(struct boot_report *report);

#endif
