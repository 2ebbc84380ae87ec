/*
 * Ends of the slots: the fields of MCUboot's trailer that requests and confirmations use.
 */
#ifndef TINYC_TRAILER_H
#define TINYC_TRAILER_H

#include <stdint.h>

#include "flash.h"
#include "slots.h"

#define PRIMARY_TRAILER (SLOT_PRIMARY + SLOT_IMAGE_PAGES * SLOT_PAGE_BYTES)
#define PRIMARY_END (PRIMARY_TRAILER + SLOT_PAGE_BYTES)
#define SECONDARY_IMAGE (SLOT_SECONDARY + SLOT_PAGE_BYTES)
#define SECONDARY_TRAILER (SECONDARY_IMAGE + SLOT_IMAGE_PAGES * SLOT_PAGE_BYTES)
#define SECONDARY_END (SECONDARY_TRAILER + SLOT_PAGE_BYTES)

/* Bytes before the end of a slot. */
#define TRAILER_MAGIC 16u
#define TRAILER_IMAGE_OK 24u
#define TRAILER_COPY_DONE 32u
#define TRAILER_SWAP_INFO 40u

#define TRAILER_SET 0xFFFFFF01u /* image_ok and copy_done: one byte of a word */

/* A slot of a model: its image, then one page with the trailer. */
#define MODEL_SLOT(slot) ((slot) == 0u ? SLOT_MODEL_0 : SLOT_MODEL_1)
#define MODEL_TRAILER(slot) (MODEL_SLOT(slot) + (SLOT_MODEL_PAGES - 1u) * SLOT_PAGE_BYTES)
#define MODEL_END(slot) (MODEL_SLOT(slot) + SLOT_MODEL_PAGES * SLOT_PAGE_BYTES)

/* What request.h says, for the slot that ends there. */
uint32_t trailer_pending(uint32_t end);
uint32_t trailer_ask(uint32_t end, uint32_t permanent);
uint32_t trailer_confirmed(uint32_t end);
uint32_t trailer_confirm(uint32_t end);

void trailer_write_magic(uint32_t end);

/* One of the words above. It must be blank. */
void trailer_write(uint32_t end, uint32_t field, uint32_t word);

/* Whether all of the fields are blank. */
uint32_t trailer_is_blank(uint32_t end);

#endif
